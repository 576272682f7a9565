import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pods } from '../../src/kube/resources/core.ts'
import { articleFile, articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventsOf } from './support/events.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { podTraces } from './support/pod-traces.ts'

const onOvn = '[{"name": "yusur-ovn", "interface": "eth1"}]'

/** Issue 3, point 6: the networks of a running pod follow its annotation, on our own networks and real engines. */
describe('a running pod on work02', () => {
  let lab: Lab
  let before: Awaited<ReturnType<typeof podTraces>>
  const names = ['plugged', 'peer', 'heir', 'kept']
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await lab.cli(['apply', '-f', '-'], { input: definition('second', routed) })
    before = await podTraces(lab)
    await startPod('peer', 'work01', eth1WithDefaultRoute)
    await startPod('plugged', 'work02')
  })
  afterAll(async () => {
    for (const name of ['second', 'changing']) await lab?.cli(['delete', 'nad', name, '--ignore-not-found'])
  })

  async function startPod(name: string, node: string, networks?: string): Promise<void> {
    const input = sleepingPod({ name, node, ...(networks === undefined ? {} : { networks }) })
    await lab.cli(['apply', '-f', '-'], { input })
    await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  }

  const annotate = (pod: string, networks: string): Promise<unknown> =>
    lab.cli(['annotate', 'pod', pod, '--overwrite', `k8s.v1.cni.cncf.io/networks=${networks}`])

  const inPod = async (pod: string, ...command: string[]): Promise<string> =>
    (await lab.cli(['exec', pod, '--', ...command])).stdout

  const annotation = async (pod: string, key: string): Promise<string | undefined> =>
    (await lab.kube.get(pods, pod, 'default')).metadata.annotations?.[key]

  /** `<interface> <address>` by network-status. */
  async function told(pod: string): Promise<string[]> {
    const text = await annotation(pod, 'k8s.v1.cni.cncf.io/network-status')
    const status = JSON.parse(text ?? '[]') as { interface: string; ips: string[] }[]
    return status.map((item) => `${item.interface} ${item.ips[0]}`)
  }

  /** By network-status and in the pod itself, the same. */
  async function addressOf(pod: string, nic: string): Promise<string> {
    let address = ''
    await eventually(async () => {
      const line = (await told(pod)).find((item) => item.startsWith(`${nic} `))
      address = line?.split(' ')[1] ?? `no ${nic} yet`
      expect(await inPod(pod, 'ip', '-4', 'addr', 'show', 'dev', nic)).toContain(`inet ${address}/`)
    })
    return address
  }

  /** The interfaces are these, and only these. */
  const expectInterfaces = (pod: string, ...nics: string[]): Promise<void> =>
    eventually(async () => {
      expect((await told(pod)).map((line) => line.split(' ')[0])).toEqual(nics)
      const links = (await inPod(pod, 'ip', '-o', 'link')).matchAll(/^\d+: ([^:@]+)/gm)
      expect([...links].map(([, name]) => name).filter((name) => name !== 'lo')).toEqual(nics)
    })

  /** The first packets wait for address resolution. */
  const expectPing = (pod: string, ...target: string[]): Promise<void> =>
    eventually(async () => {
      expect(await inPod(pod, 'ping', '-c', '3', '-W', '2', ...target)).toContain(' 0% packet loss')
    })

  const logicalPort = async (pod: string): Promise<string> =>
    (
      await lab.exec('master01', [
        'ovn-nbctl',
        '--if-exists',
        'get',
        'Logical_Switch_Port',
        `default_${pod}`,
        'addresses',
      ])
    ).stdout

  let first = ''

  it('gets eth1 on the OVN network when its annotation asks for it, and traffic passes', async () => {
    await annotate('plugged', eth1WithDefaultRoute)
    await expectInterfaces('plugged', 'eth0', 'eth1')
    first = await addressOf('plugged', 'eth1')
    expect(first).toMatch(/^10\.144\.1\./)
    await expectPing('plugged', await addressOf('peer', 'eth1'))
    expect(await inPod('plugged', 'ip', 'route', 'get', '203.0.113.1')).toContain('dev eth1')
    await expectPing('plugged', '203.0.113.1')
    await expectPing('peer', first)
  })

  it('loses eth1 with its port and its address when the annotation says so, and goes on with eth0', async () => {
    await annotate('plugged', '')
    await expectInterfaces('plugged', 'eth0')
    await eventually(async () => expect(await logicalPort('plugged')).toBe(''))
    expect(await annotation('plugged', 'k8s.ovn.org/pod-networks')).toBeUndefined()
    expect(await inPod('plugged', 'ip', 'route', 'get', '203.0.113.1')).toContain('dev eth0')
    await expectPing('plugged', '203.0.113.1')
  })

  it('gets another address when it asks again and its first one has been given to another pod', async () => {
    await startPod('heir', 'work02', `[{"name": "yusur-ovn", "interface": "eth1", "ips": ["${first}/24"]}]`)
    expect(await addressOf('heir', 'eth1')).toBe(first)
    await annotate('plugged', onOvn)
    await expectInterfaces('plugged', 'eth0', 'eth1')
    expect(await addressOf('plugged', 'eth1')).not.toBe(first)
    await expectPing('plugged', first)
    await lab.cli(['delete', 'pod', 'heir'])
  })

  it('gets the address and the MAC that the edited annotation asks for', async () => {
    const wish = '[{"name": "yusur-ovn", "interface": "eth1", "ips": ["10.144.1.200/24"], "mac": "02:00:00:00:01:c8"}]'
    await annotate('plugged', wish)
    await eventually(async () => expect(await told('plugged')).toContain('eth1 10.144.1.200'))
    const text = await inPod('plugged', 'ip', 'addr', 'show', 'dev', 'eth1')
    expect(text).toContain('inet 10.144.1.200/24')
    expect(text).toContain('link/ether 02:00:00:00:01:c8')
    expect(await logicalPort('plugged')).toContain('02:00:00:00:01:c8 10.144.1.200')
    await expectPing('plugged', await addressOf('peer', 'eth1'))
  })

  it('gets a second interface on the routed network beside them, that other nodes reach', async () => {
    await annotate('plugged', '[{"name": "yusur-ovn", "interface": "eth1"}, {"name": "second", "interface": "eth2"}]')
    await expectInterfaces('plugged', 'eth0', 'eth1', 'eth2')
    const address = await addressOf('plugged', 'eth2')
    expect(address).toMatch(/^10\.244\./)
    await eventually(async () => {
      expect((await lab.exec('work01', ['ping', '-c', '2', '-W', '2', address])).stdout).toContain(' 0% packet loss')
    })
    await annotate('plugged', onOvn)
    await expectInterfaces('plugged', 'eth0', 'eth1')
  })

  it('keeps its address while the agent of its node has not taken the interface away', async () => {
    const address = await addressOf('plugged', 'eth1')
    const entered = await parentOfAgent('work02')
    await lab.exec('work02', ['pkill', '-STOP', '-f', 'dist/agent.js'])
    try {
      await annotate('plugged', '')
      await startPodWithout('heir', `[{"name": "yusur-ovn", "interface": "eth1", "ips": ["${address}/24"]}]`)
      const refusal = `Warning OvnAddressRefused ${address} is in use by default/plugged`
      await eventually(async () => {
        expect(await eventsOf(lab, 'heir')).toContainEqual(expect.stringContaining(refusal))
      })
      await expectPing('plugged', await addressOf('peer', 'eth1'))
    } finally {
      // nsenter, which entered the node's namespaces for it, has stopped itself with it: it continues both, and would
      // not see the agent's end later if it were left out.
      process.kill(entered, 'SIGCONT')
    }
    await expectInterfaces('plugged', 'eth0')
    await lab.cli(['wait', 'pod/heir', '--for=condition=Ready', '--timeout=100s'])
    expect(await addressOf('heir', 'eth1')).toBe(address)
  })

  async function parentOfAgent(node: string): Promise<number> {
    const { processes } = await lab.status()
    const pid = processes.find((each) => each.name === 'agent' && each.node === node)?.pid
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.replace(/^.*\) /, '').split(' ')[1])
  }

  async function startPodWithout(name: string, networks: string): Promise<void> {
    await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name, node: 'work02', networks }) })
  }

  it('keeps what it was attached with when its network becomes one of another type', async () => {
    const ovn = /config: '(.*)'/s.exec(articleFile('yusur-ovn.yaml'))?.[1] ?? ''
    await lab.cli(['apply', '-f', '-'], { input: definition('changing', JSON.parse(ovn)) })
    await startPod('kept', 'work02', 'changing@eth1')
    const port = await logicalPort('kept')
    const address = await addressOf('kept', 'eth1')
    expect(port).toContain(address)
    await lab.cli(['apply', '-f', '-'], { input: definition('changing', routed) })
    // What comes after the change has seen it.
    await annotate('plugged', onOvn)
    await expectInterfaces('plugged', 'eth0', 'eth1')
    expect(await logicalPort('kept')).toBe(port)
    await expectPing('kept', await addressOf('peer', 'eth1'))
    await annotate('kept', '')
    await expectInterfaces('kept', 'eth0')
    await eventually(async () => expect(await logicalPort('kept')).toBe(''))
  })

  it('leaves nothing behind when it is deleted', async () => {
    for (const name of names) await lab.cli(['delete', 'pod', name])
    await eventually(async () => expect(await podTraces(lab)).toEqual(before))
  })
})

const routed = { cniVersion: '1.0.0', name: 'second', type: 'calico', ipam: { type: 'calico-ipam' } }

function definition(name: string, config: object): string {
  return JSON.stringify({
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { name, namespace: 'default' },
    spec: { config: JSON.stringify(config) },
  })
}

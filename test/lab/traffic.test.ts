import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const server = 'mkdir -p /www && head -c 1000000 /dev/urandom > /www/blob && httpd -p 8080 -h /www && sleep 36000'
const pods = [
  { name: 'dual-a', node: 'work01', networks: eth1WithDefaultRoute },
  { name: 'dual-b', node: 'work01', networks: eth1WithDefaultRoute },
  { name: 'dual-c', node: 'work02', networks: eth1WithDefaultRoute },
  { name: 'plain-a', node: 'work01' },
  { name: 'plain-c', node: 'work02' },
]

/** Issue 2, point 7: traffic between pods, nodes and the outside, over both networks. */
describe('traffic', () => {
  let lab: Lab
  const addresses = new Map<string, { eth0: string; eth1: string }>()
  const address = (pod: string, nic: 'eth0' | 'eth1'): string => addresses.get(pod)?.[nic] ?? `no ${nic} of ${pod}`

  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    const labelled = pods.map((pod) => ({ ...pod, labels: { app: pod.name }, command: server }))
    await lab.cli(['apply', '-f', '-'], { input: labelled.map(sleepingPod).join('\n---\n') })
    for (const { name } of pods) {
      await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
      addresses.set(name, { eth0: await addressOf(lab, name, 'eth0'), eth1: await addressOf(lab, name, 'eth1') })
    }
  })

  const inPod = async (pod: string, ...command: string[]): Promise<string> =>
    (await lab.cli(['exec', pod, '--', ...command])).stdout

  async function expectPing(pod: string, target: string, ...flags: string[]): Promise<void> {
    // The first packet through a tunnel waits for the address resolution of its far end.
    await lab.cli(['exec', pod, '--', 'ping', '-c', '1', '-W', '2', ...flags, target], { okCodes: [0, 1] })
    expect(await inPod(pod, 'ping', '-c', '3', '-W', '2', ...flags, target)).toContain(' 0% packet loss')
  }

  async function expectDownload(pod: string, target: string, port = 8080): Promise<void> {
    const size = await inPod(pod, 'sh', '-c', `timeout 15 wget -q -O - http://${target}:${port}/blob | wc -c`)
    expect(size.trim()).toBe('1000000')
  }

  describe.each([
    ['the same node', 'dual-a', 'dual-b'],
    ['different nodes', 'dual-a', 'dual-c'],
  ])('between pods on %s', (_where, from, to) => {
    it('eth0 to eth0 answers pings sent from the address of eth0', () =>
      expectPing(from, address(to, 'eth0'), '-I', address(from, 'eth0')))
    it('eth1 to eth1 answers pings', () => expectPing(from, address(to, 'eth1')))
    it('eth1 to eth1 carries a full-size packet without fragmentation', () =>
      expectPing(from, address(to, 'eth1'), '-s', '1372'))
    it('eth1 to eth1 carries 1 MB of TCP', () => expectDownload(from, address(to, 'eth1')))
  })

  it('eth0 to eth0 carries 1 MB of TCP on the same node', () => expectDownload('plain-a', address('dual-a', 'eth0')))
  it('eth0 to eth0 carries 1 MB of TCP between nodes', () => expectDownload('plain-a', address('plain-c', 'eth0')))

  it('a pod with eth0 only reaches the eth0 address of a pod with both, on another node, and gets its answer by eth0', async () => {
    await expectPing('plain-c', address('dual-a', 'eth0'))
    await expectDownload('plain-c', address('dual-a', 'eth0'))
    expect(
      await inPod('dual-a', 'ip', 'route', 'get', address('plain-c', 'eth0'), 'from', address('dual-a', 'eth0')),
    ).toContain('dev eth0')
  })

  it('a pod with both reaches a pod with eth0 only', async () => {
    await expectPing('dual-a', address('plain-c', 'eth0'), '-I', address('dual-a', 'eth0'))
  })

  it.each(['work01', 'work02', 'master01'])('node %s reaches the eth0 address of a pod on work01', async (node) => {
    const { stdout } = await lab.exec(node, ['ping', '-c', '3', '-W', '2', address('dual-a', 'eth0')])
    expect(stdout).toContain(' 0% packet loss')
  })

  it('a pod with both reaches the outside out of eth1, and the packets leave its node by ens3', async () => {
    await expectPing('dual-a', '203.0.113.1')
    expect(await inPod('dual-a', 'ip', 'route', 'get', '203.0.113.1')).toContain('dev eth1')
    const before = await transmitted(lab, 'work01', 'ens3')
    await inPod('dual-a', 'ping', '-c', '20', '-i', '0.1', '-W', '2', '203.0.113.1')
    expect((await transmitted(lab, 'work01', 'ens3')) - before).toBeGreaterThanOrEqual(20)
  })

  it('a pod with eth0 only reaches the outside, masqueraded by natOutgoing', () => expectPing('plain-a', '203.0.113.1'))

  it('a ClusterIP service answers a pod with both through an OVN load balancer', async () => {
    await lab.cli(['apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'blob', namespace: 'default' },
        spec: { selector: { app: 'plain-c' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      }),
    })
    const service = await lab.json<{ spec: { clusterIP: string } }>(['get', 'service', 'blob', '-o', 'json'])
    expect(service.spec.clusterIP).toMatch(/^10\.96\./)
    await eventually(async () => {
      const { stdout } = await lab.exec('master01', ['ovn-nbctl', 'lb-list'])
      expect(stdout).toContain(`${service.spec.clusterIP}:80`)
    })
    await eventually(() => expectDownload('dual-a', service.spec.clusterIP, 80))
    expect(await inPod('dual-a', 'ip', 'route', 'get', service.spec.clusterIP)).toContain('dev eth1')
  })

  it('a pod that forges a source address on eth0 or on eth1 gets nothing through', async () => {
    for (const [nic, target] of [
      ['eth0', address('plain-c', 'eth0')],
      ['eth1', address('dual-c', 'eth1')],
    ] as const) {
      const forged = nic === 'eth0' ? '10.244.255.77' : '10.144.255.77'
      const script = `ip addr add ${forged}/32 dev ${nic}; ip rule add from ${forged} lookup 99 priority 1; ip route add ${target} dev ${nic} table 99 ${nic === 'eth0' ? 'via 169.254.1.1 onlink' : ''}; ping -c 2 -W 1 -I ${forged} ${target}; code=$?; ip rule del from ${forged} lookup 99; ip addr del ${forged}/32 dev ${nic}; exit $code`
      await lab.cli(['apply', '-f', '-'], { input: privileged('forger') })
      await lab.cli(['wait', 'pod/forger', '--for=condition=Ready', '--timeout=60s'])
      const { code } = await lab.cli(['exec', 'forger', '--', 'sh', '-c', script], { okCodes: [0, 1] })
      expect(code).toBe(1)
    }
  })
})

function privileged(name: string): string {
  const pod = JSON.parse(sleepingPod({ name, node: 'work01', networks: eth1WithDefaultRoute })) as {
    spec: { containers: Record<string, unknown>[] }
  }
  for (const container of pod.spec.containers) container.securityContext = { capabilities: { add: ['NET_ADMIN'] } }
  return JSON.stringify(pod)
}

async function addressOf(lab: Lab, pod: string, nic: string): Promise<string> {
  const { stdout } = await lab.cli(['exec', pod, '--', 'ip', '-4', 'addr', 'show', 'dev', nic], { okCodes: [0, 1] })
  return /inet ([\d.]+)\//.exec(stdout)?.[1] ?? 'none'
}

async function transmitted(lab: Lab, node: string, device: string): Promise<number> {
  const { stdout } = await lab.exec(node, ['cat', `/sys/class/net/${device}/statistics/tx_packets`])
  return Number(stdout)
}

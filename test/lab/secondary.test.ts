import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sleepingPod } from './support/article.ts'
import { type Lab, useLab } from './support/lab.ts'

const examples = new URL('../../examples/secondary/', import.meta.url).pathname
/** As examples/secondary has them. */
const names = ['flat', 'tall', 'outer']
const userDefined = ['blue', 'shared']
const workers = ['work01', 'work02']

/** Issue 5, line 3: secondary networks of OVN by NetworkAttachmentDefinition, three of them in one pod. */
describe('secondary networks of OVN', () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await useLab()
    // As an administrator joins a node to a physical network: a bridge with a NIC, and its name in OVN's mappings.
    for (const node of workers) {
      await lab.exec(node, [
        'ovs-vsctl',
        'add-br',
        'br-tenants',
        '--',
        'set',
        'bridge',
        'br-tenants',
        'datapath_type=netdev',
      ])
      await lab.exec(node, ['ovs-vsctl', 'add-port', 'br-tenants', 'ens2'])
      await setMappings(node, 'physnet:brens3,tenants:br-tenants')
    }
    for (const file of ['networks', 'user-defined', 'claim']) await lab.cli(['apply', '-f', `${examples}${file}.yaml`])
    await lab.cli(['wait', 'udn/blue', 'cudn/shared', '--for=condition=NetworkCreated', '--timeout=30s'])
    const wanted = JSON.stringify([...names, ...userDefined].map((name) => ({ name })))
    const pods = workers.map((node) => sleepingPod({ name: `secondary-${node}`, node, networks: wanted }))
    await lab.cli(['apply', '-f', '-'], { input: pods.join('\n---\n') })
    for (const node of workers) {
      await lab.cli(['wait', `pod/secondary-${node}`, '--for=condition=Ready', '--timeout=60s'])
    }
  })

  afterAll(async () => {
    for (const node of workers) await lab.cli(['delete', 'pod', `secondary-${node}`])
    await lab.cli(['delete', 'pod', 'secondary-heir', '--ignore-not-found'])
    for (const file of ['networks', 'user-defined', 'claim']) await lab.cli(['delete', '-f', `${examples}${file}.yaml`])
    for (const node of workers) {
      await setMappings(node, 'physnet:brens3')
      await lab.exec(node, ['ovs-vsctl', 'del-br', 'br-tenants'])
    }
  })

  async function setMappings(node: string, value: string): Promise<void> {
    await lab.exec(node, ['ovs-vsctl', 'set', 'Open_vSwitch', '.', `external_ids:ovn-bridge-mappings="${value}"`])
  }

  const inPod = async (node: string, ...command: string[]): Promise<string> =>
    (await lab.cli(['exec', `secondary-${node}`, '--', ...command], { okCodes: [0, 1] })).stdout

  async function addressOf(node: string, device: string): Promise<string> {
    return /inet ([\d.]+)\//.exec(await inPod(node, 'ip', '-4', 'addr', 'show', 'dev', device))?.[1] ?? 'none'
  }

  it.each([...names, ...userDefined].map((name, index) => ({ name, device: `net${index + 1}` })))(
    'pods of two nodes reach each other over the network $name',
    async ({ device }) => {
      const target = await addressOf('work02', device)
      // The first packet waits for the address resolution of the tunnel's far end.
      await inPod('work01', 'ping', '-c', '1', '-W', '2', target)
      expect(await inPod('work01', 'ping', '-c', '3', '-W', '2', target)).toContain(' 0% packet loss')
      expect(await inPod('work01', 'ip', 'route', 'get', target)).toContain(`dev ${device}`)
    },
  )

  it('network-status names each of them with its interface and address', async () => {
    const pod = await lab.json<{ metadata: { annotations: Record<string, string> } }>([
      'get',
      'pods.v1.',
      'secondary-work01',
      '-o',
      'json',
    ])
    const status = JSON.parse(pod.metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '') as {
      name: string
      interface: string
      ips: string[]
    }[]
    const secondary = status.filter(({ interface: device }) => device !== 'eth0')
    expect(secondary.map(({ name, interface: device }) => `${name} ${device}`)).toEqual([
      'default/flat net1',
      'default/tall net2',
      'default/outer net3',
      'default/blue net4',
      'default/shared net5',
    ])
    expect(secondary[0]?.ips[0]).toMatch(/^10\.1\.0\./)
  })

  it("the default route stays with eth0, and the agent leaves the administrator's bridge mapping alone", async () => {
    expect(await inPod('work01', 'ip', 'route')).toMatch(/^default .*dev eth0/)
    const { stdout } = await lab.exec('work01', [
      'ovs-vsctl',
      'get',
      'Open_vSwitch',
      '.',
      'external_ids:ovn-bridge-mappings',
    ])
    expect(stdout).toContain('tenants:br-tenants')
    expect(stdout).toContain('physnet:brens3')
  })

  it('the address of an IPAMClaim goes from pod to pod', async () => {
    const element = [{ name: 'flat', 'ipam-claim-reference': 'database' }]
    const given: string[] = []
    for (const node of workers) {
      await lab.cli(['apply', '-f', '-'], {
        input: sleepingPod({ name: 'secondary-heir', node, networks: JSON.stringify(element) }),
      })
      await lab.cli(['wait', 'pod/secondary-heir', '--for=condition=Ready', '--timeout=60s'])
      const { stdout } = await lab.cli(['exec', 'secondary-heir', '--', 'ip', '-4', 'addr', 'show', 'dev', 'net1'])
      given.push(/inet (\S+)/.exec(stdout)?.[1] ?? `none in ${stdout}`)
      await lab.cli(['delete', 'pod', 'secondary-heir'])
    }
    const claim = await lab.json<{ status: { ips: string[] } }>(['get', 'ipamclaim', 'database', '-o', 'json'])
    expect(given).toEqual([claim.status.ips[0], claim.status.ips[0]])
  })
})

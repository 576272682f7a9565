import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ip, ipJson } from '../support/netns.ts'
import { eventually, OvnCluster, type TestPod } from '../support/ovn-cluster.ts'
import { canPing, pingFive, sendMegabyte } from '../support/pod-traffic.ts'

/** Each setting has the other value than in the article, whose values ovn-attach.test.ts has. */
describe('a cluster whose settings are all the others', () => {
  let cluster: OvnCluster
  let a: TestPod
  let b: TestPod

  beforeAll(async () => {
    cluster = await OvnCluster.make({
      netCidr: '10.144.0.0/24/25,10.150.0.0/16/25',
      svcCidr: '10.97.0.0/16',
      gatewayMode: 'shared',
      gatewayNextHop: undefined,
      hostCidrs: ['10.244.0.0/16'],
      multicastEnabled: false,
      disableSnatMultipleGateways: false,
      disablePacketMtuCheck: false,
      encapType: 'geneve',
      mtuBytes: 1300,
      perNode: ({ underlay }) => ({ encapIp: tunnelEnd(underlay) }),
    })
    const annotations = { 'k8s.ovn.org/node-subnets': '{"default":["10.150.0.128/25"]}' }
    await cluster.kube.patch(cluster.nodeType, 'n2', { type: 'merge', body: { metadata: { annotations } } })
    for (const { netns, underlay } of cluster.fabric.nodes) {
      await ip(netns, 'addr', 'add', `${tunnelEnd(underlay)}/24`, 'dev', 'ens3')
      await ip(netns, 'route', 'replace', 'default', 'via', '192.168.200.1', 'dev', 'ens3')
    }
    // An address that only the host of n1 knows.
    await ip(cluster.node('n1').netns, 'addr', 'add', '10.244.9.9/32', 'dev', 'lo')
    await cluster.startAll()
    a = await cluster.runPod('a', 'n1')
    b = await cluster.runPod('b', 'n2')
  }, 60_000)

  afterAll(async () => {
    await cluster.close()
  }, 60_000)

  test('netCidr: nodes have subnets of several prefixes, and their pods reach each other', async () => {
    expect(a.result.ips[0]?.address).toMatch(/^10\.144\.0\.\d+\/25$/)
    expect(b.result.ips[0]?.address).toMatch(/^10\.150\.0\.\d+\/25$/)
    expect(a.result.routes.map(({ dst }) => dst)).toEqual(['10.144.0.0/24', '10.150.0.0/16', '10.97.0.0/16'])
    expect(await canPing(a, b.address)).toBe(true)
    expect(await pingFive(b, a.address)).toMatch(/5 packets received, 0% packet loss/)
    expect(await canPing(cluster.node('n1'), b.address)).toBe(true)
  })

  test('svcCidr: the host and the pods send its prefix to OVN', async () => {
    expect(await ip(cluster.node('n1').netns, 'route')).toMatch(/10\.97\.0\.0\/16 via 10\.144\.0\.1 dev ovn-k8s-mp0/)
    expect(await ip(a.netns, 'route')).toMatch(/10\.97\.0\.0\/16 via 10\.144\.0\.1 dev eth1/)
  })

  test("gatewayMode shared: pods leave through the gateway router with the node's address, past the host", async () => {
    expect(await canPing(a, '203.0.113.1')).toBe(true)
    const before = await received('ovn-k8s-mp0')
    expect(await pingFive(a, '203.0.113.1')).toMatch(/5 packets received, 0% packet loss/)
    expect(await sendMegabyte(a, { netns: cluster.fabric.fabric }, '203.0.113.1')).toBe('192.168.200.11')
    expect(await received('ovn-k8s-mp0')).toBe(before)
    expect(cluster.kubeGateway('n1')).toMatchObject({ mode: 'shared' })
  })

  test('gatewayMode shared: the host keeps its own connections over the same address', async () => {
    const host = cluster.node('n1')
    expect(await sendMegabyte(host, { netns: cluster.fabric.fabric }, '203.0.113.1')).toBe('192.168.200.11')
    expect(await pingFive({ netns: cluster.fabric.fabric }, '192.168.200.11')).toMatch(/5 packets received, 0% packet/)
  })

  test('hostCidrs: what only the host knows is reached through it', async () => {
    expect(await pingFive(a, '10.244.9.9')).toMatch(/5 packets received, 0% packet loss/)
  })

  test("gatewayNextHop left out: that of the interface's default route is taken", () => {
    expect(cluster.kubeGateway('n1')).toMatchObject({ 'next-hop': '192.168.200.1' })
    expect(cluster.nbctl('lr-route-list', 'GR_n1')).toMatch(/0\.0\.0\.0\/0\s+192\.168\.200\.1/)
  })

  test('encapType and encapIp: tunnels are geneve and end at the given addresses', async () => {
    const tunnel = () => cluster.vsctl('n1', '--bare', '--columns=options', 'find', 'Interface', 'type=geneve')
    await eventually(() => tunnel().includes('remote_ip=192.168.201.12'))
    expect(tunnel()).toMatch(/local_ip=192\.168\.201\.11/)
  })

  test('mtuBytes: pods and the management port have it', async () => {
    expect(await ip(a.netns, 'link', 'show', 'eth1')).toMatch(/mtu 1300/)
    expect(await ip(cluster.node('n1').netns, 'link', 'show', 'ovn-k8s-mp0')).toMatch(/mtu 1300/)
  })

  test('disablePacketMtuCheck off: the gateway router refuses what is too large', () => {
    expect(cluster.nbctl('get', 'Logical_Router_Port', 'rtoj-GR_n1', 'options:gateway_mtu')).toBe('"1300"')
    expect(cluster.sbctl('lflow-list', 'GR_n1')).toMatch(/check_pkt_larger\(1314\)/)
  })

  test('disableSnatMultipleGateways off: one source NAT for each prefix, none for each pod', () => {
    const nats = cluster.nbctl('lr-nat-list', 'GR_n1')
    expect(nats).toMatch(/snat\s+192\.168\.200\.11\s+10\.144\.0\.0\/24/)
    expect(nats).toMatch(/snat\s+192\.168\.200\.11\s+10\.150\.0\.0\/16/)
    expect(nats).not.toMatch(new RegExp(`\\s${a.address}$`, 'm'))
  })

  test('multicastEnabled off: no snooping, no relay, no rules', () => {
    expect(cluster.nbctl('get', 'Logical_Switch', 'n1', 'other_config')).not.toMatch(/mcast/)
    expect(cluster.nbctl('get', 'Logical_Router', 'ovn_cluster_router', 'options')).not.toMatch(/mcast/)
    expect(cluster.nbctl('list', 'ACL')).toBe('')
  })

  async function received(device: string): Promise<number> {
    const [link] = await ipJson(cluster.node('n1').netns, '-s', 'link', 'show', device)
    return (link as { stats64: { rx: { packets: number } } }).stats64.rx.packets
  }
})

/** A second address of the gateway interface. */
function tunnelEnd(underlay: string): string {
  return underlay.replace('192.168.200.', '192.168.201.')
}

describe('encapIp with the userspace datapath', () => {
  test('is refused with the reason when no bridge has it: nothing would come out of the tunnel', async () => {
    const cluster = await OvnCluster.make({ perNode: ({ management }) => ({ encapIp: management }) })
    try {
      await cluster.startController()
      await cluster.startAgent(cluster.node('n1'))
      await eventually(() => cluster.side('n1').status().problems.join().includes('networks.ovn.encapIp'))
      expect(cluster.side('n1').status().problems.join()).toMatch(/192\.168\.122\.11 is on no bridge of Open vSwitch/)
    } finally {
      await cluster.close()
    }
  }, 60_000)
})

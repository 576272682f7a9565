import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CniResult } from '../../src/cni/result.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { pods } from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'
import type { AttachRequest } from '../../src/networks/driver.ts'
import type { OvnConfig } from '../../src/networks/ovn/config.ts'
import { ipamClaims } from '../../src/networks/ovn/resources/ipam-claim.ts'
import { userDefinedNetworks } from '../../src/networks/ovn/resources/user-defined-network.ts'
import { ip } from '../support/netns.ts'
import { eventually, OvnCluster } from '../support/ovn-cluster.ts'
import { canPing, inPod, pingFive, sendMegabyte } from '../support/pod-traffic.ts'

let cluster: OvnCluster

beforeAll(async () => {
  cluster = await OvnCluster.make()
  cluster.addNetwork('flat', { topology: 'layer2', subnets: '10.1.0.0/24,fd01::/64', excludeSubnets: '10.1.0.0/28' })
  cluster.addNetwork('tall', { topology: 'layer3', subnets: '10.2.0.0/16/24,fd02::/48/64', mtu: 1300 })
  cluster.addNetwork('bare', { topology: 'layer2' })
  cluster.addNetwork('outer', {
    topology: 'localnet',
    vlanID: 20,
    physicalNetworkName: 'tenants',
    subnets: '10.4.0.0/24',
  })
  cluster.addNetwork('sealed', { topology: 'localnet', subnets: '10.5.0.0/24' })
  cluster.addNetwork('lasting', { topology: 'layer2', subnets: '10.8.0.0/29', allowPersistentIPs: true })
  await addPhysicalNetwork()
  await cluster.startController()
  for (const node of cluster.fabric.nodes) await cluster.startAgent(node)
  await cluster.ready()
}, 60_000)

afterAll(async () => {
  await cluster.close()
}, 60_000)

interface Attached {
  readonly name: string
  readonly netns: string
  readonly requests: AttachRequest<OvnConfig>[]
  readonly results: CniResult[]
}

/** A pod with one interface a definition: net1, net2 … */
async function run(
  name: string,
  node: string,
  elements: readonly { name: string; [key: string]: unknown }[],
): Promise<Attached> {
  const pod = await cluster.createPod(name, node, JSON.stringify(elements))
  const { netns } = await cluster.prepare(pod)
  const requests = await Promise.all(
    elements.map((element, index) => cluster.request(pod, { netns, nad: element.name, ifName: `net${index + 1}` })),
  )
  const results = await Promise.all(requests.map((request) => cluster.attach(node, request)))
  return { name, netns, requests, results }
}

function addressesOf({ results }: Attached, index = 0): string[] {
  return (results[index]?.ips ?? []).map(({ address }) => address)
}

describe('a layer2 network', () => {
  let a: Attached
  let b: Attached

  test('is one switch for all nodes, with addresses of both families that are not excluded', async () => {
    a = await run('flat-a', 'n1', [{ name: 'flat' }])
    b = await run('flat-b', 'n2', [{ name: 'flat' }])
    expect(addressesOf(a)).toEqual(['10.1.0.16/24', 'fd01::1/64'])
    expect(addressesOf(b)).toEqual(['10.1.0.17/24', 'fd01::2/64'])
    expect(a.results[0]?.routes).toEqual([])
    expect(cluster.nbctl('lsp-list', 'flat_ovn_layer2_switch')).toMatch(
      /default\.flat_default_flat-a[\s\S]*default\.flat_default_flat-b/,
    )
  })

  test('carries both families between nodes', async () => {
    expect(await canPing(a, '10.1.0.17')).toBe(true)
    expect(await pingFive(a, '10.1.0.17')).toMatch(/5 packets received, 0% packet loss/)
    expect(await sendMegabyte(a, b, '10.1.0.17')).toBe('10.1.0.16')
    expect(await canPing(a, 'fd01::2')).toBe(true)
  })

  test('has the names and ids of OVN-Kubernetes', () => {
    expect(cluster.nbctl('get', 'Logical_Switch', 'flat_ovn_layer2_switch', 'external_ids')).toMatch(
      /"k8s.ovn.org\/network"=flat, "k8s.ovn.org\/role"=secondary, "k8s.ovn.org\/topology"=layer2/,
    )
    expect(cluster.nbctl('get', 'Logical_Switch', 'flat_ovn_layer2_switch', 'other_config')).toBe(
      '{ipv6_prefix="fd01::", subnet="10.1.0.0/24"}',
    )
    const port = 'default.flat_default_flat-a'
    expect(cluster.nbctl('get', 'Logical_Switch_Port', port, 'external_ids')).toMatch(
      /"k8s.ovn.org\/nad"="default\/flat", "k8s.ovn.org\/network"=flat, "k8s.ovn.org\/topology"=layer2, namespace=default, pod="true"/,
    )
    expect(cluster.nbctl('lsp-get-port-security', port)).toBe('0a:58:0a:01:00:10 10.1.0.16 fd01::1')
    const ids = cluster.vsctl(
      'n1',
      '--bare',
      '--columns=external_ids',
      'find',
      'Interface',
      `external_ids:iface-id=${port}`,
    )
    expect(ids).toMatch(/k8s.ovn.org\/nad=default\/flat k8s.ovn.org\/network=flat/)
  })

  test('tells the pod in its annotation', () => {
    expect(JSON.parse(cluster.annotationOf('flat-a') ?? '')).toEqual({
      'default/flat': {
        ip_addresses: ['10.1.0.16/24', 'fd01::1/64'],
        mac_address: '0a:58:0a:01:00:10',
        role: 'secondary',
      },
    })
  })

  test('gives the address and MAC that a pod asks for, or a warning that says why not', async () => {
    const mac = '02:00:00:00:00:77'
    const c = await run('flat-c', 'n1', [{ name: 'flat', ips: ['10.1.0.77/24'], mac, 'default-route': ['10.1.0.254'] }])
    expect(c.results[0]?.ips).toEqual([{ address: '10.1.0.77/24', gateway: '10.1.0.254', interface: 1 }])
    expect(c.results[0]?.interfaces?.[1]?.mac).toBe(mac)
    expect(await canPing(c, '10.1.0.17')).toBe(true)
    for (const [name, address] of [
      ['taken', '10.1.0.77'],
      ['excluded', '10.1.0.3'],
      ['outside', '10.9.0.3'],
    ] as const) {
      await cluster.createPod(name, 'n1', JSON.stringify([{ name: 'flat', ips: [`${address}/24`] }]))
    }
    await eventually(() => cluster.events.length >= 3)
    expect(cluster.events.join('\n')).toMatch(/10.1.0.77 is in use by default\/flat-c/)
    expect(cluster.events.join('\n')).toMatch(/10.1.0.3 is reserved in 10.1.0.0\/24/)
    expect(cluster.events.join('\n')).toMatch(/10.9.0.3 is not in the network's subnet 10.1.0.0\/24/)
  })
})

describe('a layer3 network', () => {
  test('routes between its nodes and nowhere else', async () => {
    const a = await run('tall-a', 'n1', [{ name: 'tall' }])
    const b = await run('tall-b', 'n2', [{ name: 'tall' }])
    expect(a.results[0]).toMatchObject({
      ips: [
        { address: '10.2.0.3/24', gateway: '10.2.0.1' },
        { address: 'fd02:0:0:1::3/64', gateway: 'fd02:0:0:1::1' },
      ],
      routes: [
        { dst: '10.2.0.0/16', gw: '10.2.0.1' },
        { dst: 'fd02::/48', gw: 'fd02:0:0:1::1' },
      ],
    })
    expect(await canPing(a, '10.2.1.3')).toBe(true)
    expect(await sendMegabyte(a, b, '10.2.1.3')).toBe('10.2.0.3')
    expect(await canPing(a, 'fd02:0:0:1::3')).toBe(true)
    expect(await ip(a.netns, 'link', 'show', 'net1')).toMatch(/mtu 1300/)
    expect(cluster.nbctl('lr-list')).toMatch(/tall_ovn_cluster_router/)
    const router = cluster.nbctl('show', 'tall_ovn_cluster_router')
    expect(router).toMatch(
      /port rtos-tall_n1\n\s+mac: "0a:58:0a:02:00:01"\n\s+networks: \["10.2.0.1\/24", "fd02:0:0:1::1\/64"\]/,
    )
    expect(router).toMatch(/port rtos-tall_n2\n\s+mac: "0a:58:0a:02:01:01"/)
    expect(cluster.nbctl('lsp-list', 'tall_n1')).toMatch(/default\.tall_default_tall-a[\s\S]*stor-tall_n1/)
    const subnets = cluster.nodes.get('n2')?.metadata.annotations?.['k8s.ovn.org/node-subnets'] ?? ''
    expect(JSON.parse(subnets)).toEqual({ default: ['10.144.1.0/24'], tall: ['10.2.1.0/24', 'fd02:0:0:2::/64'] })
  })
})

describe('a network without subnets', () => {
  test('gives a MAC and no address; what the pod sets itself works', async () => {
    const a = await run('bare-a', 'n1', [{ name: 'bare' }])
    const b = await run('bare-b', 'n2', [{ name: 'bare', ips: ['10.3.0.2/24'] }])
    expect(a.results[0]?.ips).toEqual([])
    expect(a.results[0]?.interfaces?.[1]?.mac).toMatch(/^0a:58:/)
    expect(addressesOf(b)).toEqual(['10.3.0.2/24'])
    await ip(a.netns, 'addr', 'add', '10.3.0.1/24', 'dev', 'net1')
    expect(await canPing(a, '10.3.0.2')).toBe(true)
  })
})

describe('a localnet network', () => {
  test('reaches pods of other nodes, with its VLAN tag on the wire', async () => {
    const a = await run('outer-a', 'n1', [{ name: 'outer' }])
    await run('outer-b', 'n2', [{ name: 'outer' }])
    expect(addressesOf(a)).toEqual(['10.4.0.1/24'])
    expect(await canPing(a, '10.4.0.2')).toBe(true)
    expect(cluster.nbctl('get', 'Logical_Switch_Port', 'outer_ovn_localnet_port', 'tag_request', 'options')).toMatch(
      /^20\n.*network_name=tenants/,
    )
    const capture = inPod({ netns: cluster.fabric.fabric }, 'timeout', '9', ...captureOf('vlan 20 and icmp'))
    await inPod(a, 'busybox', 'ping', '-q', '-c', '15', '-i', '0.2', '10.4.0.2')
    expect(await capture).toMatch(/vlan 20.*10\.4\.0\.[12] > 10\.4\.0\.[12]: ICMP/)
  })

  test('on a node without a bridge to its physical network refuses the pod at once and says so', async () => {
    await expect(run('sealed-a', 'n1', [{ name: 'sealed' }])).rejects.toThrow(
      'node n1 has no bridge for the physical network "sealed" of network "sealed"',
    )
  })
})

describe('several networks in one pod', () => {
  test('stand beside the cluster network, each with its own interface, and go one by one', async () => {
    const elements = [{ name: 'yusur-ovn' }, { name: 'flat' }, { name: 'tall' }]
    const many = await run('many', 'n1', elements)
    expect(addressesOf(many, 0)[0]).toMatch(/^10\.144\.0\./)
    expect(await canPing(many, '10.1.0.17')).toBe(true)
    expect(await canPing(many, '10.2.1.3')).toBe(true)
    expect(Object.keys(JSON.parse(cluster.annotationOf('many') ?? '')).sort()).toEqual([
      'default',
      'default/flat',
      'default/tall',
    ])
    const [, flat, tall] = many.requests
    expect(await cluster.side('n1').verify(flat!, many.results[1]!)).toEqual([])
    await cluster.detach('n1', flat!)
    await cluster.detach('n1', flat!)
    expect(await ip(many.netns, 'link')).not.toMatch(/net2/)
    expect(await canPing(many, '10.2.1.3')).toBe(true)
    expect(await cluster.side('n1').verify(tall!, many.results[2]!)).toEqual([])
  })

  test('may not be the same one twice', async () => {
    await cluster.createPod('twice', 'n1', JSON.stringify([{ name: 'flat' }, { name: 'flat', interface: 'other' }]))
    await eventually(() => cluster.events.some((text) => /default\/flat of OVN .* only once/.test(text)))
    expect(cluster.nbctl('lsp-list', 'flat_ovn_layer2_switch')).not.toMatch(/twice/)
  })
})

describe('persistent addresses', () => {
  const claim = (name: string, network = 'lasting') => ({
    metadata: { name, namespace: 'default' },
    spec: { network, interface: 'net1' },
  })
  const element = (name: string) => [{ name: 'lasting', 'ipam-claim-reference': name }]
  const ipsOf = async (name: string) => (await cluster.kube.find(ipamClaims, name, 'default'))?.status?.ips

  test('outlive their pod and the controller, and go to the next pod of the claim on any node', async () => {
    await cluster.kube.create(ipamClaims, claim('vm'))
    const first = await run('vm-1', 'n1', element('vm'))
    expect(addressesOf(first)).toEqual(['10.8.0.1/29'])
    await eventually(async () => (await ipsOf('vm'))?.[0] === '10.8.0.1/29')
    await cluster.deletePod('vm-1')
    await cluster.detach('n1', first.requests[0]!)
    await cluster.stopController()
    await cluster.startController()
    const other = await run('other', 'n1', [{ name: 'lasting' }])
    expect(addressesOf(other)).toEqual(['10.8.0.2/29'])
    const second = await run('vm-2', 'n2', element('vm'))
    expect(addressesOf(second)).toEqual(['10.8.0.1/29'])
    expect(second.results[0]?.interfaces?.[1]?.mac).toBe(first.results[0]?.interfaces?.[1]?.mac)
    expect(await canPing(other, '10.8.0.1')).toBe(true)
  })

  test('are free when the claim and its last pod are gone, not before', async () => {
    await cluster.kube.delete(ipamClaims, 'vm', { namespace: 'default' })
    const asking = JSON.stringify([{ name: 'lasting', ips: ['10.8.0.1/29'] }])
    await cluster.createPod('heir', 'n1', asking)
    await eventually(() => cluster.events.some((text) => /10.8.0.1 is in use by IPAMClaim default\/vm/.test(text)))
    await cluster.deletePod('vm-2')
    await eventually(() => cluster.annotationOf('heir')?.includes('10.8.0.1/29') === true)
  })

  test('are refused clearly without a claim, for another network, and where the network gives none', async () => {
    await cluster.kube.create(ipamClaims, claim('foreign', 'flat'))
    await cluster.createPod('no-claim', 'n1', JSON.stringify(element('missing')))
    await cluster.createPod('foreign', 'n1', JSON.stringify(element('foreign')))
    await cluster.createPod('not-here', 'n1', JSON.stringify([{ name: 'flat', 'ipam-claim-reference': 'foreign' }]))
    const refusals = [
      /there is no IPAMClaim default\/missing/,
      /IPAMClaim default\/foreign is for network "flat", not for "lasting"/,
      /network "flat" gives no persistent addresses to IPAMClaim foreign/,
    ]
    await eventually(() => refusals.every((pattern) => cluster.events.some((text) => pattern.test(text))))
    await cluster.kube.create(ipamClaims, claim('missing'))
    await eventually(() => cluster.annotationOf('no-claim')?.includes('10.8.0.') === true)
  })
})

describe('user-defined networks', () => {
  const conditionOf = async (name: string) =>
    (await cluster.kube.find(userDefinedNetworks, name, 'default'))?.status?.conditions?.[0]

  test('become definitions that pods use, and take them along when they go', async () => {
    const layer2 = { role: 'Secondary', subnets: ['10.11.0.0/24'] }
    await cluster.kube.create(userDefinedNetworks, {
      metadata: { name: 'mine', namespace: 'default' },
      spec: { topology: 'Layer2', layer2 },
    })
    await eventually(async () => (await conditionOf('mine'))?.status === 'True')
    const a = await run('mine-a', 'n1', [{ name: 'mine' }])
    const b = await run('mine-b', 'n2', [{ name: 'mine' }])
    expect(addressesOf(b)).toEqual(['10.11.0.2/24'])
    expect(await canPing(a, '10.11.0.2')).toBe(true)
    expect(cluster.nbctl('ls-list')).toMatch(/\(default\.mine_ovn_layer2_switch\)/)
    for (const name of ['mine-a', 'mine-b']) await cluster.deletePod(name)
    await cluster.kube.delete(userDefinedNetworks, 'mine', { namespace: 'default' })
    const gone = () => cluster.kube.find(networkAttachmentDefinitions, 'mine', 'default')
    await eventually(async () => (await gone()) === undefined)
    await eventually(() => !cluster.nbctl('ls-list').includes('default.mine_'))
  })

  test('that are primary, or overlap the cluster, say so in their condition', async () => {
    const create = (name: string, layer2: object) =>
      cluster.kube.create(userDefinedNetworks, {
        metadata: { name, namespace: 'default' },
        spec: { topology: 'Layer2', layer2 },
      })
    await create('first', { role: 'Primary', subnets: ['10.12.0.0/24'] })
    await create('within', { role: 'Secondary', subnets: ['10.144.0.0/24'] })
    await eventually(async () => /Primary is not supported/.test((await conditionOf('first'))?.message ?? ''))
    await eventually(async () => /overlaps the cluster network/.test((await conditionOf('within'))?.message ?? ''))
    expect(await cluster.kube.find(networkAttachmentDefinitions, 'first', 'default')).toBeUndefined()
  })
})

describe('an attachment that goes', () => {
  test('keeps its port and address until the interface is gone, then annotation, port and address go', async () => {
    const pod = await run('fickle', 'n1', [{ name: 'flat' }, { name: 'tall' }])
    const [address] = addressesOf(pod)
    const annotations = { 'k8s.v1.cni.cncf.io/networks': JSON.stringify([{ name: 'tall' }]) }
    await cluster.kube.patch(
      pods,
      'fickle',
      { type: 'merge', body: { metadata: { annotations } } },
      { namespace: 'default' },
    )
    await cluster.runPod('barrier-of-fickle', 'n1')
    expect(cluster.nbctl('lsp-list', 'flat_ovn_layer2_switch')).toMatch(/flat_default_fickle/)
    expect(await canPing(pod, '10.1.0.17')).toBe(true)
    await cluster.detach('n1', pod.requests[0]!)
    await eventually(() => !cluster.nbctl('lsp-list', 'flat_ovn_layer2_switch').includes('flat_default_fickle'))
    expect(Object.keys(JSON.parse(cluster.annotationOf('fickle') ?? ''))).toEqual(['default/tall'])
    const heir = await run('heir-of-fickle', 'n1', [{ name: 'flat', ips: [address] }])
    expect(addressesOf(heir)).toEqual([address])
  })

  test('whose container nobody knows is collected with its port, and those of others stay', async () => {
    const stray = await run('stray', 'n1', [{ name: 'flat' }, { name: 'tall' }])
    const [kept] = (await run('kept', 'n1', [{ name: 'flat' }])).requests
    await cluster.side('n1').collectGarbage([kept!, stray.requests[1]!])
    expect(await ip(stray.netns, 'link')).not.toMatch(/net1/)
    expect(await ip(stray.netns, 'link')).toMatch(/net2/)
    const ports = cluster.vsctl(
      'n1',
      '--bare',
      '--columns=external_ids',
      'find',
      'Interface',
      'external_ids:iface-id!=""',
    )
    expect(ports).toMatch(/iface-id=default\.flat_default_kept/)
    expect(ports).not.toMatch(/iface-id=default\.flat_default_stray/)
  })
})

describe('the life of a network', () => {
  test('a network that pods are on outlives its definition, and goes with the last of them', async () => {
    cluster.addNetwork('short', { topology: 'layer2', subnets: '10.6.0.0/24' })
    const a = await run('short-a', 'n1', [{ name: 'short' }])
    const b = await run('short-b', 'n2', [{ name: 'short' }])
    await cluster.kube.delete(networkAttachmentDefinitions, 'short', { namespace: 'default' })
    await cluster.stopController()
    await cluster.startController()
    await cluster.runPod('barrier', 'n1')
    expect(await canPing(a, addressesOf(b)[0]!.split('/')[0]!)).toBe(true)
    for (const name of ['short-a', 'short-b']) await cluster.deletePod(name)
    await eventually(() => !cluster.nbctl('ls-list').includes('short_'))
  })

  test('a restart of the controller changes nothing', async () => {
    const before = everything()
    await cluster.stopController()
    await cluster.startController()
    await cluster.createPod('late', 'n1', JSON.stringify([{ name: 'flat' }]))
    await eventually(() => cluster.annotationOf('late') !== undefined)
    await cluster.deletePod('late')
    await eventually(() => everything() === before)
  })

  test('definitions that contradict each other or the cluster are refused with an event', async () => {
    cluster.addNetwork('flat-too', { topology: 'layer2', subnets: '10.7.0.0/24' }, 'flat')
    cluster.addNetwork('overlap', { topology: 'layer2', subnets: '10.144.7.0/24' })
    for (const pattern of [
      /network "flat" is described otherwise by an older definition/,
      /10.144.7.0\/24 overlaps the cluster network 10.144.0.0\/16/,
    ]) {
      await eventually(() => cluster.events.some((text) => pattern.test(text)))
    }
  })
})

/** The first such packet between the two nodes. */
function captureOf(filter: string): string[] {
  return ['tcpdump', '-lni', 'ens2-n1', '-c', '1', '-e', filter]
}

function everything(): string {
  const tables = ['Logical_Switch', 'Logical_Router', 'Logical_Switch_Port', 'Logical_Router_Port', 'Gateway_Chassis']
  return cluster.nbctl(...tables.flatMap((table) => ['--', '--columns=_uuid,name', 'list', table]))
}

/** A bridge `br-tenants` on every node with a NIC of its own on one wire, mapped as an administrator does it. */
async function addPhysicalNetwork(): Promise<void> {
  const { fabric, nodes } = cluster.fabric
  const kernel = createKernel()
  await kernel.apply(fabric, [{ op: 'ensureBridge', name: 'tenants', isUp: true }])
  for (const { name, netns } of nodes) {
    const port = `ens2-${name}`
    await kernel.apply(fabric, [
      { op: 'ensureVeth', name: port, peer: { name: 'ens2', netns }, isUp: true },
      { op: 'setLink', name: port, master: 'tenants' },
    ])
    await ip(netns, 'link', 'set', 'ens2', 'up')
    const bridge = ['add-br', 'br-tenants', '--', 'set', 'Bridge', 'br-tenants', 'datapath_type=netdev']
    cluster.vsctl(name, ...bridge, '--', 'add-port', 'br-tenants', 'ens2')
    cluster.vsctl(name, 'set', 'Open_vSwitch', '.', 'external_ids:ovn-bridge-mappings=tenants:br-tenants')
  }
  await kernel.close()
}

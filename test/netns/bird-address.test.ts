import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodes } from '../../src/kube/resources/core.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'

describe("a node's BGP address", () => {
  let cluster: RoutedCluster
  let work01: RoutedNode
  let work02: RoutedNode
  beforeAll(async () => {
    cluster = await createRoutedCluster({ work01: '192.168.100.101', work02: '192.168.100.102' })
    ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
    for (const node of cluster.nodes) await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
    await eventually('the mesh', async () => expect(await nextHops(work02)).toEqual(['192.168.100.101']))
  })
  afterAll(() => cluster?.stop())

  async function nextHops(node: RoutedNode): Promise<string[]> {
    const routes = await node.kernel.routes(undefined, { family: 4, protocol: 12 })
    return routes.flatMap(({ gateway }) => gateway ?? [])
  }

  async function stored(name: string): Promise<string | undefined> {
    return (await cluster.kube.get(nodes, name)).metadata.annotations?.['projectcalico.org/IPv4Address']
  }

  it('is told by an event, with the interface and the reason', () => {
    expect(work01.events).toContain(
      'Normal NodeAddress work01: BGP uses 192.168.100.101/24 of ens2: the interface matches ens2 (interface=ens2)',
    )
  })

  it('stays when another interface comes that the method fits, which is pointed out', async () => {
    await work01.ip('link', 'add', 'ens224', 'type', 'veth', 'peer', 'name', 'other')
    await work01.ip('address', 'add', '10.9.9.1/24', 'dev', 'ens224')
    await eventually('the event', async () =>
      expect(work01.events).toContain(
        'Warning NodeAddressInDoubt work01: interface=ens2 fits ens224 as well as ens2, whose 192.168.100.101 is taken: name the one that is meant, e.g. interface=^ens2$',
      ),
    )
    expect(await stored('work01')).toBe('192.168.100.101/24')
    await work01.ip('link', 'del', 'ens224')
  })

  it('follows the interface when its address changes, and the sessions and routes with it', async () => {
    await work01.ip('address', 'add', '192.168.100.111/24', 'dev', 'ens2')
    await work01.ip('address', 'del', '192.168.100.101/24', 'dev', 'ens2')
    // The kernel takes the second address of a subnet away with the first.
    await work01.ip('address', 'replace', '192.168.100.111/24', 'dev', 'ens2')
    await eventually('the new address', async () => expect(await stored('work01')).toBe('192.168.100.111/24'))
    await eventually('routes by it', async () => expect(await nextHops(work02)).toEqual(['192.168.100.111']), 30_000)
    expect(work01.events.join('\n')).toContain('before it was 192.168.100.101/24')
  })

  it('is no reason to be ready when another node has it, too', async () => {
    await cluster.kube.create(nodes, {
      metadata: { name: 'ghost', annotations: { 'projectcalico.org/IPv4Address': '192.168.100.102/24' } },
    })
    await eventually('the reason', async () =>
      expect(await work02.nodeSide.impairments?.()).toEqual([
        'node work02 has the BGP address 192.168.100.102 of ghost too: give each its own, or delete the Node that is gone',
      ]),
    )
    await cluster.kube.delete(nodes, 'ghost')
    await eventually('work02 to be ready', async () => expect(await work02.nodeSide.impairments?.()).toEqual([]))
  })
})

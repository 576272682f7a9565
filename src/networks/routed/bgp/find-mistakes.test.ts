import { describe, expect, it } from 'vitest'
import type { BgpNode } from './bgp-node.ts'
import { findMistakes } from './find-mistakes.ts'
import { selectPeers } from './select-peers.ts'

function node(name: string, last: number, change: Partial<BgpNode> = {}): BgpNode {
  return {
    name,
    labels: {},
    addresses: { 4: `192.168.100.${last}` },
    asNumber: 63400,
    routeReflectorClusterId: undefined,
    listenPort: 179,
    ...change,
  }
}

function mistakes(local: BgpNode, others: BgpNode[], isMeshEnabled: boolean): string[] {
  const nodes = [local, ...others]
  const { sessions } = selectPeers({ local, nodes, peers: [], isMeshEnabled, mesh: {}, clusterAsNumber: 63400 })
  return findMistakes({ local, nodes, sessions, isMeshEnabled })
}

describe('findMistakes', () => {
  it('is silent about a mesh that is as it should be, and about a node that is alone', () => {
    expect(mistakes(node('a', 1), [node('b', 2)], true)).toEqual([])
    expect(mistakes(node('a', 1), [], false)).toEqual([])
  })

  it('tells of a node without any session', () => {
    expect(mistakes(node('a', 1), [node('b', 2)], false)).toEqual([
      expect.stringMatching(/^node a has no BGP session at all: the mesh is off/),
    ])
  })

  it('tells of a cluster ID that nothing peers with', () => {
    const reflector = node('a', 1, { routeReflectorClusterId: '192.168.100.1' })
    expect(mistakes(reflector, [node('b', 2)], true)).toEqual([
      expect.stringMatching(/^node a has the cluster ID 192\.168\.100\.1, so it is not part of the mesh/),
    ])
  })

  it('tells of the one node whose AS number makes its sessions external, on both sides', () => {
    const odd = node('odd', 3, { asNumber: 64512 })
    const others = [node('a', 1), node('b', 2)]
    expect(mistakes(odd, others, true)).toHaveLength(2)
    expect(mistakes(node('a', 1), [node('b', 2), odd], true)).toEqual([
      expect.stringContaining('the session with node odd is eBGP, because its AS number is 64512 and ours is 63400'),
    ])
  })

  it('takes AS numbers of their own for a choice', () => {
    const own = [node('b', 2, { asNumber: 65002 }), node('c', 3, { asNumber: 65003 })]
    expect(mistakes(node('a', 1, { asNumber: 65001 }), own, true)).toEqual([])
  })

  it("tells of two numbers of which one is the cluster's and the other a node's own, however many have it", () => {
    const own = { asNumber: 63400, hasOwnAsNumber: true }
    const [a, b] = [node('a', 1, own), node('b', 2, own)]
    const inherited = { asNumber: 64512, hasOwnAsNumber: false }
    const [c, d] = [node('c', 3, inherited), node('d', 4, inherited)]
    expect(mistakes(c, [a, b, d], true)).toHaveLength(2)
    expect(mistakes(a, [b, c, d], true)).toHaveLength(2)
  })

  it('tells of peers of which none reflects, once nodes are out of reach', () => {
    const spec = { nodeSelector: 'all()', peerSelector: "rr == 'true'" }
    const hub = node('hub', 9, { labels: { rr: 'true' } })
    const [a, b] = [node('a', 1), node('b', 2)]
    const find = (local: BgpNode, all: BgpNode[]): string[] => {
      const peers = [{ metadata: { name: 'to-rrs' }, spec }]
      const input = { local, nodes: all, isMeshEnabled: false }
      const { sessions } = selectPeers({ ...input, peers, mesh: {}, clusterAsNumber: 63400 })
      return findMistakes({ ...input, sessions })
    }
    expect(find(a, [hub, a, b])).toEqual([
      expect.stringMatching(/^node a learns no routes of b: none of its peers \(hub\) has a routeReflectorClusterID/),
    ])
    expect(find(hub, [hub, a, b])).toEqual([])
    const reflector = { ...hub, routeReflectorClusterId: '10.0.0.9' }
    expect(find(a, [reflector, a, b])).toEqual([])
    expect(find(a, [hub, a])).toEqual([])
  })

  it('tells of two nodes with one address', () => {
    expect(mistakes(node('a', 1), [node('b', 2), node('c', 1)], true)).toEqual([
      'node a has the BGP address 192.168.100.1 of c too: give each its own, or delete the Node that is gone',
    ])
  })
})

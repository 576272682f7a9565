import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { NodeResource } from '../../../kube/resources/core.ts'
import type { BGPPeer, BGPPeerSpec } from '../resources.ts'
import { type BgpNode, bgpNodeOf } from './bgp-node.ts'
import type { MeshSettings } from './bgp-settings.ts'
import { type BgpSession, selectPeers } from './select-peers.ts'

function node(name: string, ipv4Address: string, change: Partial<BgpNode> = {}): BgpNode {
  return {
    name,
    labels: {},
    addresses: { 4: ipv4Address },
    asNumber: 63400,
    routeReflectorClusterId: undefined,
    listenPort: 179,
    ...change,
  }
}

const master01 = node('master01', '192.168.100.10')
const work01 = node('work01', '192.168.100.101')
const work02 = node('work02', '192.168.100.102')
const reflector = { labels: { 'route-reflector': 'true' }, routeReflectorClusterId: '192.168.100.10' }
const master01Reflector = { ...master01, ...reflector }

function peer(name: string, spec: BGPPeerSpec): BGPPeer {
  return { metadata: { name }, spec }
}

const toReflectors = peer('peer-to-rrs', { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" })

function sessionsOf(local: BgpNode, nodes: BgpNode[], peers: BGPPeer[], isMeshEnabled = false): readonly BgpSession[] {
  return selectPeers({ local, nodes, peers, isMeshEnabled, mesh: {}, clusterAsNumber: 63400 }).sessions
}

function brief(sessions: readonly BgpSession[]): string[] {
  return sessions.map((session) => {
    const marks = [session.isPassive ? 'passive' : '', session.isRouteReflectorClient ? 'client' : '']
    return [session.kind, session.address, ...marks].filter((mark) => mark !== '').join(' ')
  })
}

describe('the mesh', () => {
  const nodes = [master01, work01, work02]

  it('joins every node with every other, one of each pair waiting', () => {
    expect(brief(sessionsOf(master01, nodes, [], true))).toEqual([
      'mesh 192.168.100.101 passive',
      'mesh 192.168.100.102 passive',
    ])
    expect(brief(sessionsOf(work02, nodes, [], true))).toEqual(['mesh 192.168.100.10', 'mesh 192.168.100.101'])
  })

  it('compares addresses as text, as other Calico nodes do', () => {
    const [nine, ten] = [node('nine', '10.0.0.9'), node('ten', '10.0.0.10')]
    expect(brief(sessionsOf(ten, [nine, ten], [], true))).toEqual(['mesh 10.0.0.9 passive'])
    expect(brief(sessionsOf(nine, [nine, ten], [], true))).toEqual(['mesh 10.0.0.10'])
  })

  it('is left by a route reflector at once, on both sides', () => {
    const withReflector = [master01Reflector, work01, work02]
    expect(sessionsOf(master01Reflector, withReflector, [], true)).toEqual([])
    expect(brief(sessionsOf(work01, withReflector, [], true))).toEqual(['mesh 192.168.100.102 passive'])
  })

  it('makes no second session to a node that a BGPPeer names', () => {
    const labelled = [{ ...master01, labels: { 'route-reflector': 'true' } }, work01, work02]
    expect(brief(sessionsOf(work01, labelled, [toReflectors], true))).toEqual([
      'mesh 192.168.100.102 passive',
      'node 192.168.100.10',
    ])
  })

  it('knows which peers are on the link, where both sides see it so and BFD needs to know', () => {
    const withLength = (each: BgpNode, length: number): BgpNode => ({ ...each, prefixLengths: { 4: length } })
    const [local, near, far] = [withLength(master01, 24), withLength(work01, 24), withLength(work02, 32)]
    const input = { local, nodes: [local, near, far], peers: [], isMeshEnabled: true, clusterAsNumber: 63400 }
    const onLink = (mesh: MeshSettings): (boolean | undefined)[] =>
      selectPeers({ ...input, mesh }).sessions.map(({ isOnLink }) => isOnLink)
    expect(onLink({ failureDetectionMode: 'BFDIfDirectlyConnected' })).toEqual([true, undefined])
    expect(onLink({})).toEqual([undefined, undefined])
  })

  it('has no node without an address', () => {
    const bare = { ...work02, addresses: {} }
    expect(brief(sessionsOf(work01, [master01, bare], [], true))).toEqual(['mesh 192.168.100.10'])
    expect(sessionsOf(bare, nodes, [], true)).toEqual([])
  })

  it('lets exactly one of two nodes dial, whatever their addresses', () => {
    const octet = fc.integer({ min: 1, max: 254 })
    fc.assert(
      fc.property(octet, octet, (a, b) => {
        fc.pre(a !== b)
        const [one, two] = [node('one', `10.0.0.${a}`), node('two', `10.0.0.${b}`)]
        const passive = [one, two].map((local) => sessionsOf(local, [one, two], [], true)[0]?.isPassive)
        expect(passive.sort()).toEqual([false, true])
      }),
    )
  })
})

describe("the article's route reflector", () => {
  const nodes = [master01Reflector, work01, work02]

  it('has every other node as its client, by reverse peering', () => {
    expect(brief(sessionsOf(master01Reflector, nodes, [toReflectors]))).toEqual([
      'node 192.168.100.101 client',
      'node 192.168.100.102 client',
    ])
  })

  it('is the only peer of an ordinary node', () => {
    expect(brief(sessionsOf(work01, nodes, [toReflectors]))).toEqual(['node 192.168.100.10'])
  })

  it('is not found when the label has a typo, and that is said', () => {
    const typo = { ...master01Reflector, labels: { 'router-reflector': 'true' } }
    const selected = selectPeers({
      local: work01,
      nodes: [typo, work01],
      peers: [toReflectors],
      isMeshEnabled: false,
      mesh: {},
      clusterAsNumber: 63400,
    })
    expect(selected.sessions).toEqual([])
    expect(selected.problems.map(({ message }) => message)).toEqual([
      "peerSelector route-reflector == 'true' matches no node, so there is no session",
    ])
  })

  it('with the same cluster ID is no client of another, with a different one it is', () => {
    const second = { ...work01, ...reflector }
    expect(brief(sessionsOf(master01Reflector, [master01Reflector, second], [toReflectors]))).toEqual([
      'node 192.168.100.101',
    ])
    const other = { ...second, routeReflectorClusterId: '192.168.100.101' }
    expect(brief(sessionsOf(master01Reflector, [master01Reflector, other], [toReflectors]))).toEqual([
      'node 192.168.100.101 client',
    ])
  })

  it('is no reflector to a node of another AS', () => {
    const foreign = { ...work01, asNumber: 64512 }
    expect(brief(sessionsOf(master01Reflector, [master01Reflector, foreign], [toReflectors]))).toEqual([
      'node 192.168.100.101',
    ])
  })
})

describe('BGPPeers', () => {
  const nodes = [master01, work01, work02]

  it('without node and nodeSelector are global', () => {
    const tor = peer('tor', { peerIP: '192.168.100.1', asNumber: 65000 })
    expect(brief(sessionsOf(work01, nodes, [tor]))).toEqual(['global 192.168.100.1'])
  })

  it('that are global and mean one of our nodes make one side wait', () => {
    const toWork02 = peer('p', { peerIP: '192.168.100.102', asNumber: 63400 })
    expect(brief(sessionsOf(work01, nodes, [toWork02]))).toEqual(['global 192.168.100.102 passive'])
  })

  it('for one node leave the others alone', () => {
    const one = peer('one', { node: 'work01', peerIP: '192.168.100.1:178', asNumber: 65000 })
    expect(sessionsOf(work01, nodes, [one])).toMatchObject([{ kind: 'node', address: '192.168.100.1', port: 178 }])
    expect(sessionsOf(work02, nodes, [one])).toEqual([])
  })

  it('that name the address, AS and port of one of our nodes are answered from there', () => {
    const toWork02 = peer('p', { node: 'work01', peerIP: '192.168.100.102', asNumber: 63400 })
    expect(brief(sessionsOf(work02, nodes, [toWork02]))).toEqual(['node 192.168.100.101'])
    const otherAs = peer('p', { node: 'work01', peerIP: '192.168.100.102', asNumber: 65000 })
    expect(sessionsOf(work02, nodes, [otherAs])).toEqual([])
  })

  it('are not answered when reverse peering is manual', () => {
    const manual = peer('m', { node: 'work01', peerSelector: 'all()', reversePeering: 'Manual' })
    expect(sessionsOf(work02, nodes, [manual])).toEqual([])
  })

  it('twice the same give one session, and none beside a global one', () => {
    const twice = ['a', 'b'].map((name) => peer(name, { node: 'work01', peerIP: '192.168.100.1', asNumber: 65000 }))
    expect(brief(sessionsOf(work01, nodes, twice))).toEqual(['node 192.168.100.1'])
    const global = peer('g', { peerIP: '192.168.100.1', asNumber: 65000 })
    expect(brief(sessionsOf(work01, nodes, [...twice, global]))).toEqual(['global 192.168.100.1'])
  })

  it('use the port that the peer listens on', () => {
    const odd = { ...work02, listenPort: 178 }
    const all = peer('all', { nodeSelector: 'all()', peerSelector: 'all()' })
    expect(sessionsOf(work01, [master01, work01, odd], [all]).map(({ port }) => port)).toEqual([179, 178])
  })

  it('never make a node its own peer', () => {
    const all = peer('all', { nodeSelector: 'all()', peerSelector: 'all()' })
    for (const local of nodes) {
      expect(sessionsOf(local, nodes, [all]).map(({ address }) => address)).not.toContain(local.addresses[4])
    }
  })

  it('with a selector or an address that cannot be read do nothing but say so', () => {
    const broken = [
      peer('a', { nodeSelector: 'x = 1', peerIP: '192.168.100.1' }),
      peer('b', { peerIP: '999.1.1.1' }),
      peer('c', { node: 'nobody', peerIP: '192.168.100.1' }),
      toReflectors,
    ]
    const { sessions, problems } = selectPeers({
      local: work01,
      nodes: [master01Reflector, work01],
      peers: broken,
      isMeshEnabled: false,
      mesh: {},
      clusterAsNumber: 63400,
    })
    expect(brief(sessions)).toEqual(['node 192.168.100.10'])
    expect(problems.map(({ peer: { metadata } }) => metadata.name)).toEqual(['a', 'b', 'c'])
  })

  it('give the same sessions in whatever order they and the nodes come', () => {
    const peers = [toReflectors, peer('tor', { peerIP: '192.168.100.1', asNumber: 65000 })]
    const all = [master01Reflector, work01, work02]
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: 3 }), fc.shuffledSubarray(peers, { minLength: 2 }), (n, p) => {
        expect(sessionsOf(work01, n, p, true)).toEqual(sessionsOf(work01, all, peers, true))
      }),
    )
  })
})

describe('bgpNodeOf', () => {
  function core(annotations: Record<string, string>): NodeResource {
    return { metadata: { name: 'work01', annotations } }
  }

  it('takes the AS number from the node, else from the cluster, else 64512', () => {
    const cluster = [{ metadata: { name: 'default' }, spec: { asNumber: 63400 } }]
    expect(bgpNodeOf(core({ 'projectcalico.org/ASNumber': '65001' }), cluster).asNumber).toBe(65001)
    expect(bgpNodeOf(core({ 'projectcalico.org/ASNumber': 'x' }), cluster).asNumber).toBe(63400)
    expect(bgpNodeOf(core({}), []).asNumber).toBe(64512)
  })

  it('takes the listen port from the node over the cluster', () => {
    const configurations = [
      { metadata: { name: 'default' }, spec: { listenPort: 178 } },
      { metadata: { name: 'node.work01' }, spec: { listenPort: 177 } },
    ]
    expect(bgpNodeOf(core({}), configurations).listenPort).toBe(177)
    expect(bgpNodeOf({ metadata: { name: 'other' } }, configurations).listenPort).toBe(178)
  })

  it('ignores an address or a cluster ID that is none', () => {
    const broken = core({
      'projectcalico.org/IPv4Address': '192.168.100.400/24',
      'projectcalico.org/RouteReflectorClusterID': 'yes',
    })
    expect(bgpNodeOf(broken, [])).toMatchObject({ addresses: {}, routeReflectorClusterId: undefined })
  })
})

describe('with both families', () => {
  const both = (name: string, last: number): BgpNode => ({
    ...node(name, `192.168.100.${last}`),
    addresses: { 4: `192.168.100.${last}`, 6: `fd00:100::${last}` },
  })
  const [one, two] = [both('one', 1), both('two', 2)]

  it('two nodes have a session in each', () => {
    expect(brief(sessionsOf(two, [one, two], [], true))).toEqual(['mesh 192.168.100.1', 'mesh fd00:100::1'])
  })

  it('a node that has IPv4 only is not dialled over IPv6', () => {
    expect(brief(sessionsOf(two, [work01, two], [], true))).toEqual(['mesh 192.168.100.101'])
  })

  it('a peer is reached over the family of its address, and found among our nodes', () => {
    const tor = peer('tor', { peerIP: '[fd00:100::1]:179', asNumber: 63400, node: 'two' })
    expect(brief(sessionsOf(two, [one, two], [tor]))).toEqual(['node fd00:100::1'])
    expect(brief(sessionsOf(one, [one, two], [tor]))).toEqual(['node 192.168.100.2', 'node fd00:100::2'])
  })
})

describe('what a BGPPeer or the mesh asks for', () => {
  const options = (spec: BGPPeerSpec): BgpSession['options'] | undefined =>
    sessionsOf(work01, nodesOfCluster, [peer('tor', { peerIP: '192.168.100.1', asNumber: 65000, ...spec })])[0]?.options
  const nodesOfCluster = [master01, work01, work02]

  it.each([
    [{ nextHopMode: 'Self' }, { nextHop: 'self' }],
    [{ nextHopMode: 'Keep' }, { nextHop: 'keep' }],
    [{ nextHopMode: 'Auto' }, {}],
    [{ keepOriginalNextHop: true }, { nextHop: 'keep' }],
    [{ sourceAddress: 'None' }, { isFromAnyAddress: true }],
    [{ sourceAddress: 'UseNodeIP' }, {}],
    [{ filters: ['b', 'a'] }, { filters: ['b', 'a'] }],
    [{ localASNumber: 65001 }, { localAsNumber: 65001 }],
    [{ failureDetectionMode: 'BFDIfDirectlyConnected' }, { failureDetectionMode: 'BFDIfDirectlyConnected' }],
    [
      { numAllowedLocalASNumbers: 1, ttlSecurity: 2 },
      { allowedLocalAsNumbers: 1, ttlSecurityHops: 2 },
    ],
  ] satisfies [BGPPeerSpec, object][])('%j is %j of the session', (spec, expected) => {
    expect(options(spec)).toEqual(expected)
  })

  it('is of every session of the mesh', () => {
    const mesh = { maxRestartTime: '90s', password: { name: 'bgp', key: 'mesh' } }
    const input = { local: work01, nodes: nodesOfCluster, peers: [], isMeshEnabled: true, mesh, clusterAsNumber: 63400 }
    expect(selectPeers(input).sessions.map((session) => session.options)).toEqual([mesh, mesh])
  })
})

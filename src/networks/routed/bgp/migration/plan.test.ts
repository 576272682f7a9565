import { describe, expect, it } from 'vitest'
import type { NodeResource } from '../../../../kube/resources/core.ts'
import type { BGPPeer } from '../../resources.ts'
import { MigrationError, type MigrationTarget, planMigration } from './plan.ts'
import { applyChange, invertChange, sessionsOf, type Topology } from './topology.ts'

const node = (name: string, last: number, more: { labels?: object; annotations?: object } = {}): NodeResource => ({
  metadata: {
    name,
    labels: { ...more.labels },
    annotations: { 'projectcalico.org/IPv4Address': `10.0.0.${last}/24`, ...more.annotations },
  },
})

const mesh: Topology = { nodes: [node('a', 1), node('b', 2), node('c', 3)], configurations: [], peers: [] }

function afterMigration(topology: Topology, target: MigrationTarget): Topology {
  return planMigration(topology, target)
    .flatMap(({ changes }) => changes)
    .reduce(applyChange, topology)
}

function titles(topology: Topology, target: MigrationTarget): string[] {
  return planMigration(topology, target).map(({ title }) => title)
}

/** Each node's peers, e.g. `node 10.0.0.1*` with a star for a client. */
function sessions(topology: Topology): Record<string, string[]> {
  const entries = [...sessionsOf(topology)].map(([name, list]): [string, string[]] => [
    name,
    list.map(({ kind, address, isRouteReflectorClient: isClient }) => `${kind} ${address}${isClient ? '*' : ''}`),
  ])
  return Object.fromEntries(entries)
}

describe('from the mesh to route reflectors', () => {
  const target: MigrationTarget = { to: 'route-reflectors', reflectors: ['a', 'b'] }

  it('makes one node after the other a reflector, and ends the mesh last', () => {
    expect(titles(mesh, target)).toEqual([
      'every node will peer with the nodes that are labelled route-reflector=true',
      'make a a route reflector',
      'make b a route reflector',
      'turn the node-to-node mesh off',
    ])
    expect(sessions(afterMigration(mesh, target))).toEqual({
      a: ['node 10.0.0.2*', 'node 10.0.0.3*'],
      b: ['node 10.0.0.1*', 'node 10.0.0.3*'],
      c: ['node 10.0.0.1', 'node 10.0.0.2'],
    })
  })

  it('wants every block from every reflector that is there already', () => {
    const steps = planMigration(mesh, target)
    expect(steps.map(({ through }) => through)).toEqual([
      [],
      ['10.0.0.1'],
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.1', '10.0.0.2'],
    ])
  })

  it('uses a BGPPeer that does the same, and does nothing where nothing is to be done', () => {
    const peer: BGPPeer = {
      metadata: { name: 'peer-to-rrs' },
      spec: { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" },
    }
    const withPeer = { ...mesh, peers: [peer] }
    expect(titles(withPeer, target)[0]).toBe('make a a route reflector')
    expect(planMigration(afterMigration(mesh, target), target)).toEqual([])
  })

  it('keeps a cluster ID that a node has, unless one is asked for', () => {
    const own = node('a', 1, { annotations: { 'projectcalico.org/RouteReflectorClusterID': '9.9.9.9' } })
    const topology = { ...mesh, nodes: [own, ...mesh.nodes.slice(1)] }
    const idOfA = (result: Topology) =>
      result.nodes.find(({ metadata }) => metadata.name === 'a')?.metadata.annotations?.[
        'projectcalico.org/RouteReflectorClusterID'
      ]
    expect(idOfA(afterMigration(topology, target))).toBe('9.9.9.9')
    expect(idOfA(afterMigration(topology, { ...target, clusterId: '1.1.1.1' }))).toBe('1.1.1.1')
  })

  it.each([
    [{ to: 'route-reflectors', reflectors: ['x'] } as const, /no node x that takes part in BGP/],
    [{ to: 'route-reflectors', reflectors: [] } as const, /no node is named/],
    [{ to: 'route-reflectors', reflectors: ['a'], clusterId: 'one' } as const, /"one" is no cluster ID/],
    [{ to: 'tor', peerIPs: ['tor.example'], asNumber: 65000 } as const, /"tor.example" is no address/],
  ])('refuses %j', (wrong, message) => {
    expect(() => planMigration(mesh, wrong)).toThrow(MigrationError)
    expect(() => planMigration(mesh, wrong)).toThrow(message)
  })

  it('refuses to use the name of a BGPPeer that does something else', () => {
    const peer: BGPPeer = { metadata: { name: 'route-reflectors' }, spec: { peerIP: '10.0.0.9', asNumber: 65000 } }
    expect(() => planMigration({ ...mesh, peers: [peer] }, target)).toThrow(/there is a BGPPeer route-reflectors/)
  })
})

describe('back to the mesh', () => {
  const reflected = afterMigration(mesh, { to: 'route-reflectors', reflectors: ['a', 'b'] })

  it('turns the mesh on first, and leaves labels, cluster IDs and BGPPeers as they were', () => {
    expect(titles(reflected, { to: 'mesh' })).toEqual([
      'turn the node-to-node mesh on',
      'make a an ordinary node',
      'make b an ordinary node',
      'delete the BGPPeer route-reflectors',
    ])
    const back = afterMigration(reflected, { to: 'mesh' })
    expect(sessions(back)).toEqual(sessions(mesh))
    expect(back.nodes).toEqual(mesh.nodes)
    expect(back.peers).toEqual([])
  })

  it('takes the label from a node that stops reflecting while another goes on', () => {
    const one = afterMigration(reflected, { to: 'route-reflectors', reflectors: ['b'] })
    expect(sessions(one)).toEqual({
      a: ['node 10.0.0.2'],
      b: ['node 10.0.0.1*', 'node 10.0.0.3*'],
      c: ['node 10.0.0.2'],
    })
  })
})

describe('to a ToR router', () => {
  const target: MigrationTarget = { to: 'tor', peerIPs: ['10.0.0.254'], asNumber: 65000 }

  it('lets nodes of one AS take back their own AS, with the next hop of the node that has the block', () => {
    const [step] = planMigration(mesh, target)
    expect(step?.changes).toEqual([
      expect.objectContaining({
        name: 'tor-10-0-0-254',
        after: {
          labels: { 'twinlane.io/bgp-topology': 'tor' },
          spec: { peerIP: '10.0.0.254', asNumber: 65000, numAllowedLocalASNumbers: 1, keepOriginalNextHop: true },
        },
      }),
    ])
    expect(sessions(afterMigration(mesh, target)).c).toEqual(['global 10.0.0.254'])
  })

  it('and back removes only what a migration made', () => {
    const foreign: BGPPeer = { metadata: { name: 'edge' }, spec: { peerIP: '10.0.0.253', asNumber: 65001 } }
    const there = afterMigration({ ...mesh, peers: [foreign] }, target)
    expect(titles(there, { to: 'mesh' })).toEqual([
      'turn the node-to-node mesh on',
      'delete the BGPPeer tor-10-0-0-254',
    ])
  })
})

it('a change the other way round is its undo', () => {
  const steps = planMigration(mesh, { to: 'route-reflectors', reflectors: ['a'] })
  const changes = steps.flatMap((step) => step.changes)
  const undone = [...changes].reverse().map(invertChange).reduce(applyChange, changes.reduce(applyChange, mesh))
  expect(undone.nodes).toEqual(mesh.nodes)
  expect(undone.peers).toEqual([])
  expect(sessions(undone)).toEqual(sessions(mesh))
})

import { expect, test } from 'vitest'
import type { EventResource, NodeResource } from '../../kube/resources/core.ts'
import { selectionsOf, type Topology } from '../../networks/routed/bgp/migration/topology.ts'
import { type ClusterFacts, diagnose } from './diagnose.ts'

const node = (name: string, address?: string, more: Record<string, string> = {}): NodeResource => ({
  metadata: {
    name,
    labels: { 'kubernetes.io/hostname': name },
    annotations: { ...(address === undefined ? {} : { 'projectcalico.org/IPv4Address': address }), ...more },
  },
})
const event = (name: string, reason: string, message: string): EventResource =>
  ({ metadata: { name: 'e' }, involvedObject: { kind: 'Node', name }, reason, message }) as EventResource

function factsOf(topology: Partial<Topology>, more: Partial<ClusterFacts> = {}): ClusterFacts {
  const whole = { nodes: [], configurations: [], peers: [], ...topology }
  return { topology: whole, selected: selectionsOf(whole), pools: [], events: [], sessions: new Map(), ...more }
}

test('a cluster in order has an address with its reason for each node, and no problem', () => {
  const nodes = [node('work01', '10.0.0.1/24'), node('work02', '10.0.0.2/24')]
  const events = [event('work01', 'NodeAddress', 'BGP uses 10.0.0.1/24 of ens2: first that fits (interface=ens2)')]
  expect(diagnose(factsOf({ nodes }, { events }))).toEqual([
    { about: 'node work01', isProblem: false, text: 'BGP uses 10.0.0.1/24 of ens2: first that fits (interface=ens2)' },
    {
      about: 'node work02',
      isProblem: false,
      text: 'BGP uses 10.0.0.2/24; why is in the log of its agent ("this node\'s BGP address")',
    },
  ])
})

test('what is wrong is told of the node, the BGPPeer or the pool that it is about', () => {
  const nodes = [
    node('master01', '10.0.0.9/24', { 'projectcalico.org/RouteReflectorClusterID': '1.0.0.1' }),
    node('work01', '10.0.0.1/24'),
    node('work02'),
  ]
  const peers = [{ metadata: { name: 'typo' }, spec: { nodeSelector: 'all()', peerSelector: 'has(router-reflector)' } }]
  const pools = [{ metadata: { name: 'tiny' }, spec: { cidr: '10.1.0.0/26', blockSize: 26 } }]
  const events = [event('work01', 'NodeAddressInDoubt', 'interface=ens2 fits ens224 as well as ens2')]
  const sessions = new Map([['work01', 'mesh session with 10.0.0.2 is missing']])
  const problems = diagnose(factsOf({ nodes, peers }, { pools, events, sessions })).filter((each) => each.isProblem)
  expect(problems.map(({ about, text }) => `${about}: ${text.slice(0, 70)}`)).toEqual([
    expect.stringMatching(/^node master01: node master01 has the cluster ID 1\.0\.0\.1/),
    'node work01: interface=ens2 fits ens224 as well as ens2',
    expect.stringMatching(/^node work01: node work01 has no BGP session at all/),
    'node work01: mesh session with 10.0.0.2 is missing',
    'node work02: has no BGP address: its agent has not run, or has found none',
    expect.stringMatching(/^BGPPeer typo: peerSelector has\(router-reflector\) matches no node/),
    expect.stringMatching(/^IPPool tiny: /),
  ])
})

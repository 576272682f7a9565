import { describe, expect, it } from 'vitest'
import type { CalicoNodeStatusReport, PeerReport, RouteReport } from '../../resources.ts'
import type { BgpSession } from '../select-peers.ts'
import { findShortfalls, findUncovered, findUnheld, type Observation } from './judge.ts'

const peer = (peerIP: string, more: Partial<PeerReport> = {}): PeerReport => ({
  peerIP,
  type: 'NodeMesh',
  state: 'Established',
  since: '',
  ...more,
})

const route = (destination: string, from: string, more: Partial<RouteReport> = {}): RouteReport => ({
  type: 'FIB',
  destination,
  gateway: from,
  learnedFrom: { sourceType: 'NodeMesh', peerIP: from },
  ...more,
})

const report = (peersV4: PeerReport[], routesV4: RouteReport[]): CalicoNodeStatusReport => ({
  bgp: {
    numberEstablishedV4: 0,
    numberNotEstablishedV4: 0,
    numberEstablishedV6: 0,
    numberNotEstablishedV6: 0,
    peersV4,
  },
  routes: { routesV4 },
})

const session = (address: string, kind: BgpSession['kind'] = 'mesh'): BgpSession => ({
  kind,
  address,
  port: 179,
  asNumber: 64512,
  isPassive: false,
  isRouteReflectorClient: false,
  description: '',
  options: {},
})

const observation = (change: Partial<Observation> = {}): Observation => ({
  addresses: new Map([
    ['a', ['10.0.0.1']],
    ['b', ['10.0.0.2']],
  ]),
  sessions: new Map([
    ['a', [session('10.0.0.2')]],
    ['b', [session('10.0.0.1')]],
  ]),
  reports: new Map([
    ['a', report([peer('10.0.0.2')], [route('10.244.2.0/24', '10.0.0.2')])],
    ['b', report([peer('10.0.0.1')], [route('10.244.1.0/24', '10.0.0.1')])],
  ]),
  blocks: [
    { cidr: '10.244.1.0/24', owner: 'a' },
    { cidr: '10.244.2.0/24', owner: 'b' },
  ],
  ...change,
})

const withA = (own: CalicoNodeStatusReport): Partial<Observation> => ({
  reports: new Map([...observation().reports, ['a', own]]),
})

describe('findShortfalls', () => {
  it('finds none where every session and block is there', () => {
    expect(findShortfalls(observation(), [])).toEqual([])
  })

  it('names a session that is not established, with the reason, and one that should be gone', () => {
    const own = report(
      [peer('10.0.0.2', { state: 'Active', lastError: 'Socket: Connection refused' }), peer('10.0.0.9')],
      [route('10.244.2.0/24', '10.0.0.2')],
    )
    expect(findShortfalls(observation(withA(own)), [])).toEqual([
      'a: the session with 10.0.0.2 is Active (Socket: Connection refused)',
      'a: the old session with 10.0.0.9 is still there',
    ])
  })

  it('takes the session of the mesh for another than that of a BGPPeer', () => {
    const sessions = new Map([...observation().sessions, ['a', [session('10.0.0.2', 'node')] as const]])
    expect(findShortfalls(observation({ sessions }), [])).toEqual([
      'a: the session with 10.0.0.2 is not there yet',
      'a: the old session with 10.0.0.2 is still there',
    ])
  })

  it('names a block that no peer announces; one that is only held is not announced', () => {
    const held = route('10.244.2.0/24', '10.0.0.2', { learnedFrom: { sourceType: 'Static' } })
    expect(findShortfalls(observation(withA(report([peer('10.0.0.2')], [held]))), [])).toEqual([
      'a: no peer announces 10.244.2.0/24 of b',
    ])
  })

  it('wants blocks from the peers that will be left, but from no node what itself says', () => {
    expect(findShortfalls(observation(), ['10.0.0.9'])).toEqual([
      'a: 10.0.0.9 does not announce 10.244.2.0/24 of b',
      'b: 10.0.0.9 does not announce 10.244.1.0/24 of a',
    ])
    expect(findShortfalls(observation(), ['10.0.0.1'])).toEqual([])
  })

  it('finds a router that leads to another node than the one that has the block', () => {
    const addresses = new Map([...observation().addresses, ['c', ['10.0.0.3']]])
    const wrong = route('10.244.2.0/24', '10.0.0.9', { type: 'RIB', gateway: '10.0.0.3' })
    const own = report([peer('10.0.0.2')], [route('10.244.2.0/24', '10.0.0.2'), wrong])
    expect(findShortfalls(observation({ addresses, ...withA(own) }), ['10.0.0.9'])[0]).toBe(
      'a: 10.0.0.9 leads 10.244.2.0/24 of b to c',
    )
  })

  it('does not ask for blocks of nodes that are left out', () => {
    const { reports } = observation()
    const onlyB = new Map([...reports].filter(([name]) => name === 'b'))
    expect(findShortfalls(observation({ reports: onlyB }), [])).toEqual([])
  })
})

describe('findUncovered', () => {
  const after = new Map([['a', [session('10.0.0.9', 'node')]]])
  const reportsOf = (...routes: RouteReport[]) => new Map([['a', report([], routes)]])

  it('names what is known only from peers that go', () => {
    const reports = reportsOf(route('10.244.2.0/24', '10.0.0.2'))
    expect(findUncovered(after, reports, ['10.244.0.0/16'])).toEqual(['a: 10.244.2.0/24 is known only from 10.0.0.2'])
  })

  it('is content with an alternative, with what lies outside the pools, and with own blocks that come back', () => {
    const alternative = route('10.244.2.0/24', '10.0.0.9', { type: 'RIB' })
    expect(findUncovered(after, reportsOf(route('10.244.2.0/24', '10.0.0.2'), alternative), ['10.244.0.0/16'])).toEqual(
      [],
    )
    expect(findUncovered(after, reportsOf(route('0.0.0.0/0', '10.0.0.2')), ['10.244.0.0/16'])).toEqual([])
    const own = route('10.244.1.0/24', '10.0.0.2', { type: 'RIB' })
    expect(findUncovered(after, reportsOf(own), ['10.244.0.0/16'])).toEqual([])
  })
})

it('findUnheld names what a peer announces and the node does not hold itself', () => {
  const held = route('10.244.3.0/24', '', { type: 'RIB', learnedFrom: { sourceType: 'Static' } })
  const routes = [route('10.244.2.0/24', '10.0.0.2'), route('10.244.3.0/24', '10.0.0.2'), held]
  expect(findUnheld(new Map([['a', report([], routes)]]), ['10.244.0.0/16'])).toEqual(['a: 10.244.2.0/24 is not held'])
})

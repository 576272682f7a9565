import { expect, it } from 'vitest'
import type { BgpSession } from '../bgp/select-peers.ts'
import type { BgpReport } from '../resources.ts'
import { birdGauges, findImpairments } from './bird-health.ts'

const session = (address: string): BgpSession => ({
  kind: 'mesh',
  address,
  port: 179,
  asNumber: 64512,
  isPassive: false,
  isRouteReflectorClient: false,
  description: '',
  options: {},
})

const report = (...states: [string, string][]): BgpReport => ({
  numberEstablishedV4: 1,
  numberNotEstablishedV4: 2,
  numberEstablishedV6: 0,
  numberNotEstablishedV6: 0,
  peersV4: states.map(([peerIP, state]) => ({
    peerIP,
    type: 'NodeMesh',
    state,
    since: '',
    lastError: 'Socket: timeout',
  })),
})

const two = { isolation: [], sessions: [session('10.0.0.1'), session('10.0.0.2')] }

it('one established session of several will do, none will not', () => {
  expect(findImpairments(two, report(['10.0.0.1', 'Established'], ['10.0.0.2', 'Active']))).toEqual([])
  expect(findImpairments(two, report(['10.0.0.1', 'Connect'], ['10.0.0.2', 'Active']))).toEqual([
    'no BGP session is established: the session with 10.0.0.1 is Connect (Socket: timeout), the session with 10.0.0.2 is Active (Socket: timeout)',
  ])
})

it('a node that is alone needs none, one that is isolated says why, and BIRD must answer', () => {
  expect(findImpairments({ isolation: [], sessions: [] }, report())).toEqual([])
  expect(findImpairments({ isolation: ['no session at all'], sessions: [] }, report())).toEqual(['no session at all'])
  expect(findImpairments(two, undefined)).toEqual(['BIRD does not answer'])
})

it('the gauges count sessions by family and state', () => {
  const gauges = birdGauges(report(), ['odd'])
  expect(gauges.find(({ name }) => name === 'twinlane_bgp_sessions')?.values).toContainEqual({
    labels: { family: 'IPv4', state: 'down' },
    value: 2,
  })
  expect(birdGauges(undefined, [])[0]).toMatchObject({ name: 'twinlane_bird_up', values: [{ value: 0 }] })
})

import { describe, expect, it } from 'vitest'
import { renderBirdConfig } from '../../../bird/render.ts'
import { bgpSettings } from './bgp-settings.ts'
import { type BirdInput, buildBirdConfig } from './build-config.ts'
import { holdRoutes, losesSessions, stillMissing } from './hold-routes.ts'
import type { BgpSession } from './select-peers.ts'

const session: BgpSession = {
  kind: 'mesh',
  address: '192.168.100.101',
  port: 179,
  asNumber: 63400,
  isPassive: false,
  isRouteReflectorClient: false,
  description: 'work01',
  options: {},
}
const other: BgpSession = { ...session, address: '192.168.100.102', description: 'work02' }

const input: BirdInput = {
  local: {
    name: 'master01',
    labels: {},
    addresses: { 4: '192.168.100.10' },
    asNumber: 63400,
    routeReflectorClusterId: undefined,
    listenPort: 179,
  },
  sessions: [session],
  serviceRoutes: [],
  ownBlocks: ['10.244.83.0/24'],
  pools: [{ metadata: { name: 'pods' }, spec: { cidr: '10.244.0.0/16' } }],
  filters: [],
  settings: bgpSettings([], 'master01'),
}
const config = buildBirdConfig(input)
const route = {
  destination: '10.244.9.0/24',
  protocol: 'Mesh_192_168_100_101',
  gateways: ['192.168.100.101'],
  isPrimary: true,
}

describe('losesSessions', () => {
  it('is so when a session is gone or is another', () => {
    expect(losesSessions(config, buildBirdConfig({ ...input, sessions: [other] }))).toBe(true)
    expect(losesSessions(config, buildBirdConfig({ ...input, sessions: [{ ...session, asNumber: 1 }] }))).toBe(true)
  })

  it('is not so when sessions come, or when only what is announced changes', () => {
    expect(losesSessions(config, buildBirdConfig({ ...input, sessions: [session, other] }))).toBe(false)
    expect(losesSessions(config, buildBirdConfig({ ...input, ownBlocks: [] }))).toBe(false)
  })
})

describe('holdRoutes', () => {
  it('changes nothing when nothing is held', () => {
    expect(holdRoutes(config, [])).toBe(config)
  })

  it('has the route below what peers say, and keeps it from peers but not from the kernel', () => {
    const text = renderBirdConfig(holdRoutes(config, [route]))
    expect(text).toContain(
      'protocol static held4 {\n  ipv4 { preference 1; };\n  route 10.244.9.0/24 via 192.168.100.101;',
    )
    expect(text).toContain('filter twinlane_to_peers {\n  if proto = "held4" then reject;')
    expect(/filter twinlane_to_kernel \{([\s\S]*?)\n\}/.exec(text)?.[1]).not.toContain('held4')
  })

  it('holds each family in a protocol of its own, and nothing that leads nowhere', () => {
    const six = { destination: 'fd00:10::/122', protocol: 'Mesh_x', gateways: ['fe80::1'], isPrimary: true }
    const text = renderBirdConfig(holdRoutes(config, [six, { ...route, gateways: [], isPrimary: true }]))
    expect(text).toContain('protocol static held6')
    expect(text).not.toContain('held4')
  })
})

it('stillMissing names what no peer announces', () => {
  const found = { ...route, destination: '10.244.10.0/24' }
  expect(stillMissing([route, found], [{ ...found, protocol: 'Node_x', gateways: [], isPrimary: true }])).toEqual([
    route,
  ])
})

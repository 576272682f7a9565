import { describe, expect, it } from 'vitest'
import { renderBirdConfig } from '../../../bird/render.ts'
import type { IPPool } from '../resources.ts'
import type { BgpNode } from './bgp-node.ts'
import { type BirdInput, buildBirdConfig, sessionName } from './build-config.ts'
import type { BgpSession } from './select-peers.ts'

const local: BgpNode & { ipv4Address: string } = {
  name: 'master01',
  labels: {},
  ipv4Address: '192.168.100.10',
  asNumber: 63400,
  routeReflectorClusterId: '192.168.100.10',
  listenPort: 179,
}

const session: BgpSession = {
  kind: 'node',
  address: '192.168.100.101',
  port: 179,
  asNumber: 63400,
  isPassive: false,
  isRouteReflectorClient: true,
  description: 'peer-to-rrs',
  options: {},
}

function pool(name: string, cidr: string, change: object = {}): IPPool {
  return { metadata: { name }, spec: { cidr, ...change } }
}

const input: BirdInput = {
  local,
  sessions: [session],
  ownBlocks: ['10.244.83.0/24', '10.244.9.0/24'],
  pools: [pool('b', '10.244.0.0/16'), pool('hidden', '10.9.0.0/16', { disableBGPExport: true })],
  logSeverity: 'Info',
}

function text(change: Partial<BirdInput> = {}): string {
  return renderBirdConfig(buildBirdConfig({ ...input, ...change }))
}

describe('buildBirdConfig', () => {
  it('decides in this order: hidden pools, own blocks, addresses inside them, pools, nothing else', () => {
    const filter = /filter twinlane_to_peers \{([^}]*(?:\{[^}]*\}[^}]*)*)\n\}/.exec(text())?.[1]
    const decisions = filter?.split('\n').filter((line) => !line.includes('#') && line.trim() !== '')
    expect(decisions?.map((line) => line.trim())).toEqual([
      'if net ~ [ 10.9.0.0/16+ ] then reject;',
      'if net ~ [ 10.244.9.0/24, 10.244.83.0/24 ] then accept;',
      'if net ~ [ 10.244.9.0/24{25,32}, 10.244.83.0/24{25,32} ] then reject;',
      'if net ~ [ 10.244.0.0/16+ ] then accept;',
      'reject;',
    ])
  })

  it('gives the kernel all but the networks that it has itself', () => {
    expect(text()).toMatch(/filter twinlane_to_kernel \{\n {2}if source = RTS_DEVICE then reject;\n {2}accept;\n\}/)
  })

  it('lets a disabled pool through, and has a blackhole for each own block', () => {
    const disabled = text({ pools: [pool('a', '10.244.0.0/16', { disabled: true })] })
    expect(disabled).toContain('10.244.0.0/16+ ] then accept')
    expect(disabled).toContain('route 10.244.83.0/24 blackhole;')
  })

  it('has neither a blackhole nor a reject for a block of one address', () => {
    const single = text({ ownBlocks: ['10.244.83.7/32'] })
    expect(single).toContain('if net ~ [ 10.244.83.7/32 ] then accept;')
    expect(single).not.toContain('blackhole')
    expect(single).not.toContain('{33')
  })

  it('does not depend on the order of blocks and pools', () => {
    const turned = { ownBlocks: [...input.ownBlocks].reverse(), pools: [...input.pools].reverse() }
    expect(text(turned)).toBe(text())
  })

  it('makes a client of whom the session says, with our cluster ID', () => {
    expect(text()).toContain('rr cluster id 192.168.100.10;')
    expect(text({ sessions: [{ ...session, isRouteReflectorClient: false }] })).not.toContain('rr client')
  })

  it('names sessions by type and address, with the port when it is unusual', () => {
    expect(sessionName(session)).toBe('Node_192_168_100_101')
    expect(sessionName({ ...session, kind: 'mesh' })).toBe('Mesh_192_168_100_101')
    expect(sessionName({ ...session, kind: 'global', port: 178 })).toBe('Global_192_168_100_101_port_178')
  })

  it('keeps the next hop over eBGP only', () => {
    const options = { keepsNextHop: true }
    expect(text({ sessions: [{ ...session, options }] })).not.toContain('next hop keep')
    expect(text({ sessions: [{ ...session, options, asNumber: 65000 }] })).toContain('next hop keep')
  })

  it('routes to a peer that is reachable by a gateway', () => {
    const options = { reachableBy: '192.168.100.1', maxRestartTime: '2m' }
    const reachable = text({ sessions: [{ ...session, options, address: '203.0.113.9' }] })
    expect(reachable).toContain('route 203.0.113.9/32 via 192.168.100.1;')
    expect(reachable).toContain('graceful restart time 120;')
  })
})

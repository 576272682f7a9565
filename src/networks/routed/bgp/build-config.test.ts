import { describe, expect, it } from 'vitest'
import { renderBirdConfig } from '../../../bird/render.ts'
import type { BGPConfigurationSpec, BGPFilter, IPPool } from '../resources.ts'
import type { BgpNode } from './bgp-node.ts'
import { bgpSettings } from './bgp-settings.ts'
import { type BirdInput, buildBirdConfig } from './build-config.ts'
import { sessionName } from './build-session.ts'
import type { BgpSession } from './select-peers.ts'

const local: BgpNode = {
  name: 'master01',
  labels: {},
  addresses: { 4: '192.168.100.10' },
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
  serviceRoutes: [],
  ownBlocks: ['10.244.83.0/24', '10.244.9.0/24'],
  pools: [pool('b', '10.244.0.0/16'), pool('hidden', '10.9.0.0/16', { disableBGPExport: true })],
  filters: [],
  settings: bgpSettings([], 'master01'),
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
    const options = { nextHop: 'keep' as const }
    expect(text({ sessions: [{ ...session, options }] })).not.toContain('next hop keep')
    expect(text({ sessions: [{ ...session, options, asNumber: 65000 }] })).toContain('next hop keep')
  })

  it('routes to a peer that is reachable by a gateway', () => {
    const options = { reachableBy: '192.168.100.1', maxRestartTime: '2m' }
    const reachable = text({ sessions: [{ ...session, options, address: '203.0.113.9' }] })
    expect(reachable).toContain('route 203.0.113.9/32 via 192.168.100.1;')
    expect(reachable).toContain('graceful restart time 120;')
  })

  const configured = (spec: BGPConfigurationSpec): Partial<BirdInput> => ({
    settings: bgpSettings([{ metadata: { name: 'default' }, spec }], 'master01'),
  })

  it('puts communities on before it decides, by name or by value', () => {
    const advertised = text(
      configured({
        communities: [{ name: 'pods', value: '65000:100' }],
        prefixAdvertisements: [{ cidr: '10.244.83.0/24', communities: ['pods', '65000:1:2'] }],
      }),
    )
    const terms = advertised.split('\n').map((line) => line.trim())
    const at = (start: string): number => terms.findIndex((line) => line.startsWith(start))
    expect(terms).toContain(
      'if net ~ [ 10.244.83.0/24+ ] then { bgp_community.add((65000, 100)); bgp_large_community.add((65000, 1, 2)); }',
    )
    expect(at('if net ~ [ 10.244.83.0/24+ ]')).toBeLessThan(at('if net ~ [ 10.244.9.0/24, 10.244.83.0/24 ]'))
  })

  it('announces addresses of services and keeps what others say of them out of the kernel', () => {
    const change = {
      ...configured({ serviceClusterIPs: [{ cidr: '10.96.0.0/16' }] }),
      serviceRoutes: ['10.96.0.0/16', '10.96.0.7/32'],
    }
    const services = text(change)
    expect(services).toContain('route 10.96.0.7/32 blackhole;')
    const ordinary = text({ ...change, local: { ...local, routeReflectorClusterId: undefined } })
    expect(ordinary).toContain('if net ~ [ 10.96.0.0/16+ ] && source = RTS_STATIC then accept;')
    expect(ordinary).toMatch(
      /filter twinlane_to_peers \{[\s\S]*if net ~ \[ 10\.96\.0\.0\/16\+ \] then reject;[\s\S]*filter twinlane_to_kernel/,
    )
    expect(services).toContain('route 10.96.0.0/16 blackhole;')
    expect(services).toContain('if net ~ [ 10.96.0.0/16+ ] then accept;')
    expect(services).toMatch(/filter twinlane_to_kernel \{[^}]*if net ~ \[ 10\.96\.0\.0\/16\+ \] then reject;/)
  })

  it('listens on the address of the node only when told so, even for a session from any address', () => {
    const free = { ...session, options: { isFromAnyAddress: true } }
    expect(text({ sessions: [free] })).toMatch(/local as 63400;\n(?! {2}source)/)
    const bound = text({ ...configured({ bindMode: 'NodeIP' }), sessions: [free] })
    expect(bound).toContain('local 192.168.100.10 as 63400;\n  strict bind on;')
  })

  it('has BFD only when a session uses it', () => {
    const options = { failureDetectionMode: 'BFDIfDirectlyConnected' as const }
    expect(text()).not.toContain('bfd')
    expect(text({ sessions: [{ ...session, options }] })).toMatch(/protocol bfd bfd1[\s\S]*multihop;[\s\S]*bfd on;/)
    const onLink = { ...session, isOnLink: true, options }
    expect(text({ sessions: [onLink] })).toMatch(/neighbor [\s\S]*\n {2}direct;\n[\s\S]*bfd on;/)
    const behind = { ...onLink, options: { ...options, reachableBy: '192.168.100.1' } }
    expect(text({ sessions: [behind] })).not.toContain('direct;')
    expect(text({ sessions: [{ ...onLink, options: {} }] })).not.toContain('direct;')
  })

  it('does not know the networks of interfaces that are to be ignored', () => {
    expect(text(configured({ ignoredInterfaces: ['docker*'] }))).toContain('-"cali*", -"kube-ipvs*", -"docker*", "*"')
  })

  it('has the rules of a BGPFilter in front of its own, for the sessions that name it', () => {
    const filter: BGPFilter = {
      metadata: { name: 'tor' },
      spec: {
        importV4: [{ cidr: '0.0.0.0/0', matchOperator: 'Equal', action: 'Reject' }],
        exportV4: [
          { cidr: '10.244.0.0/16', matchOperator: 'In', prefixLength: { max: 26 }, action: 'Accept' },
          { source: 'RemotePeers', interface: 'ens2', action: 'Reject' },
        ],
        exportV6: [{ cidr: 'fd00::/8', matchOperator: 'In', action: 'Reject' }],
      },
    }
    const filtered = text({ sessions: [{ ...session, options: { filters: ['tor'] } }], filters: [filter] })
    expect(filtered).toContain('import filter twinlane_from_Node_192_168_100_101;')
    expect(filtered).toContain('export filter twinlane_to_Node_192_168_100_101;')
    expect(filtered).toMatch(
      /filter twinlane_from_Node_192_168_100_101 \{\n.*\n {2}if net ~ \[ 0\.0\.0\.0\/0 \] then reject;\n {2}accept;/,
    )
    const exported = /filter twinlane_to_Node_192_168_100_101 \{([\s\S]*?)\n\}/.exec(filtered)?.[1]
    const decisions = exported?.split('\n').filter((line) => line.includes('if '))
    expect(decisions?.slice(0, 2).map((line) => line.trim())).toEqual([
      'if net ~ [ 10.244.0.0/16{16,26} ] then accept;',
      'if source = RTS_BGP && ifname ~ "ens2" then reject;',
    ])
    expect(filtered).not.toContain('fd00')
  })

  it('has the same for IPv6 on a node that has it', () => {
    const dual = text({
      local: { ...local, addresses: { ...local.addresses, 6: 'fd00:100::10' } },
      ownBlocks: [...input.ownBlocks, 'fd00:10:244::40/122'],
      pools: [...input.pools, pool('six', 'fd00:10:244::/48')],
      sessions: [session, { ...session, address: 'fd00:100::101' }],
    })
    expect(dual).toContain('route fd00:10:244::40/122 blackhole;')
    expect(dual).toMatch(/filter twinlane_to_peers6 \{[^}]*fd00:10:244::40\/122 \] then accept;/)
    expect(dual).toMatch(/neighbor fd00:100::101 port 179 as 63400;[\s\S]*ipv6 \{\n[\s\S]*twinlane_to_peers6;/)
    expect(/filter twinlane_to_peers \{([\s\S]*?)\n\}/.exec(dual)?.[1]).not.toContain('fd00')
  })

  it('has a router ID of its own on a node without IPv4', () => {
    const six = text({ local: { ...local, addresses: { 6: 'fd00:100::10' } }, sessions: [] })
    expect(six).toMatch(/router id (?!0\.|22[4-9]|2[3-5]\d)\d+\.\d+\.\d+\.\d+;/)
    expect(six).not.toContain('kernel4')
  })
})

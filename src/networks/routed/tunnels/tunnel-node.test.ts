import { describe, expect, it } from 'vitest'
import { tunnelNodeOf, vxlanMac } from './tunnel-node.ts'

function nodeWith(annotations: Record<string, string>) {
  const named = Object.entries(annotations).map(([name, value]) => [`projectcalico.org/${name}`, value])
  return tunnelNodeOf({ metadata: { name: 'work01', annotations: Object.fromEntries(named) } })
}

describe('tunnelNodeOf', () => {
  it("reads the ends from Calico's annotations", () => {
    expect(
      nodeWith({
        IPv4Address: '192.168.100.101/24',
        IPv4VXLANTunnelAddr: '10.244.1.0',
        VXLANTunnelMACAddr: '66:AA:00:00:00:01',
        IPv4IPIPTunnelAddr: '10.244.1.1',
        IPv6Address: 'fd00:100::101/64',
        IPv6VXLANTunnelAddr: 'fd00:10:244::1',
        VXLANTunnelMACAddrV6: '66:AA:00:00:00:06',
      }),
    ).toEqual({
      name: 'work01',
      underlays: {
        4: { address: '192.168.100.101', prefixLength: 24 },
        6: { address: 'fd00:100::101', prefixLength: 64 },
      },
      ends: {
        vxlan: { address: '10.244.1.0', mac: '66:aa:00:00:00:01' },
        vxlan6: { address: 'fd00:10:244::1', mac: '66:aa:00:00:00:06' },
        ipip: { address: '10.244.1.1' },
      },
    })
  })

  it.each([
    ['no address', {}],
    ['an address that cannot be read', { IPv4Address: 'ens2' }],
    ['an IPv6 address', { IPv4Address: 'fd00::1/64' }],
  ])('knows no node with %s', (_, annotations) => {
    expect(nodeWith(annotations)).toBeUndefined()
  })

  it('takes a node whose end cannot be read for one that is not ready', () => {
    const own = { IPv4Address: '192.168.100.101' }
    expect(nodeWith({ ...own, IPv4VXLANTunnelAddr: 'fd00::1' })).toEqual({
      name: 'work01',
      underlays: { 4: { address: '192.168.100.101', prefixLength: 32 } },
      ends: {},
    })
    expect(nodeWith({ ...own, IPv4VXLANTunnelAddr: '10.244.1.0', VXLANTunnelMACAddr: 'mac' })?.ends).toEqual({})
  })

  it('knows the MAC address that a node has without being told', () => {
    const found = nodeWith({ IPv4Address: '192.168.100.101', IPv4VXLANTunnelAddr: '10.244.1.0' })
    expect(found?.ends.vxlan?.mac).toBe(vxlanMac('work01'))
    expect(vxlanMac('work01')).toBe('66:65:96:08:cc:c8')
    // printf work01-v6 | sha1sum
    expect(vxlanMac('work01', 6)).toBe('66:b2:6a:e9:b6:64')
  })
})

import { describe, expect, it } from 'vitest'
import { parseCidr } from '../../../base/ip.ts'
import { buildTunnels, type TunnelInput } from './build-tunnels.ts'
import type { EncapsulatedPool } from './encapsulation.ts'
import type { TunnelNode } from './tunnel-node.ts'

function node(name: string, address: string, change: Partial<TunnelNode> = {}): TunnelNode {
  const last = address.split('.').at(-1)
  const mac = `66:00:00:00:00:0${Number(last) % 10}`
  const vxlan = { address: `10.244.${last}.1`, mac }
  const vxlan6 = { address: `fd00:10::${last}`, mac: mac.replace('66', '6a') }
  const subnet = address.split('.')[2]
  return {
    name,
    underlays: { 4: { address, prefixLength: 24 }, 6: { address: `fd00:${subnet}::${last}`, prefixLength: 64 } },
    ends: { vxlan, vxlan6, ipip: { address: `10.244.${last}.2` } },
    ...change,
  }
}

function pool(encapsulation: 'vxlan' | 'ipip', isCrossSubnet = false): EncapsulatedPool {
  return { cidr: parseCidr('10.244.0.0/16'), encapsulation, isCrossSubnet }
}

const input: TunnelInput = {
  local: { ...node('work01', '192.168.100.101'), devices: { 4: 'ens2', 6: 'ens2' } },
  nodes: [node('work02', '192.168.100.102'), node('far', '192.168.101.103')],
  pools: [pool('vxlan')],
  placements: [
    { prefix: '10.244.101.0/24', node: 'work01' },
    { prefix: '10.244.102.0/24', node: 'work02' },
    { prefix: '10.244.103.0/24', node: 'far' },
  ],
}

function ways(change: Partial<TunnelInput>): string[] {
  return buildTunnels({ ...input, ...change }).routes.map(({ destination, gateway, device, onlink }) =>
    [destination, gateway, device, ...(onlink === true ? ['onlink'] : [])].join(' '),
  )
}

describe('buildTunnels', () => {
  it('leads to every block of others through the tunnel, and needs its far ends', () => {
    expect(ways({})).toEqual([
      '10.244.102.0/24 10.244.102.1 vxlan.calico onlink',
      '10.244.103.0/24 10.244.103.1 vxlan.calico onlink',
    ])
    const { fdb, neighbors, carried } = buildTunnels(input)
    expect(fdb[0]).toEqual({ device: 'vxlan.calico', mac: '66:00:00:00:00:02', destination: '192.168.100.102' })
    expect(neighbors[0]).toMatchObject({ address: '10.244.102.1', mac: '66:00:00:00:00:02', isPermanent: true })
    expect(carried).toEqual(['10.244.0.0/16'])
  })

  it.each([
    ['VXLAN', pool('vxlan', true), '10.244.103.0/24 10.244.103.1 vxlan.calico onlink'],
    ['IP-in-IP', pool('ipip', true), '10.244.103.0/24 192.168.101.103 tunl0 onlink'],
  ])('sends directly within the subnet when %s is for other subnets only', (_, crossing, far) => {
    expect(ways({ pools: [crossing] })).toEqual(['10.244.102.0/24 192.168.100.102 ens2', far])
  })

  it.each([
    ['a node that has a /32', { ...input.local, underlays: { 4: { address: '192.168.100.101', prefixLength: 32 } } }],
    ['a node whose interface is not known', { ...input.local, devices: {} }],
  ])('is near to nobody: %s', (_, local) => {
    expect(ways({ local, pools: [pool('vxlan', true)] })[0]).toContain('vxlan.calico')
  })

  it('does not carry a pool while a node is not ready to receive, and does not wait for one that is gone', () => {
    const unready = node('far', '192.168.101.103', { ends: {} })
    const nodes = [node('work02', '192.168.100.102'), unready]
    expect(buildTunnels({ ...input, nodes }).carried).toEqual([])
    expect(ways({ nodes })).toHaveLength(1)
    const { carried } = buildTunnels({ ...input, nodes: nodes.slice(0, 1) })
    expect(carried).toEqual(['10.244.0.0/16'])
  })

  it('leads to a borrowed address where it is, also out of a block of its own', () => {
    const placements = [...input.placements, { prefix: '10.244.101.7/32', node: 'far' }]
    expect(ways({ placements })).toContain('10.244.101.7/32 10.244.103.1 vxlan.calico onlink')
  })

  it('leaves addresses of other pools to BGP', () => {
    expect(ways({ pools: [{ ...pool('vxlan'), cidr: parseCidr('10.9.0.0/16') }] })).toEqual([])
    expect(buildTunnels({ ...input, pools: [] })).toEqual({ fdb: [], neighbors: [], routes: [], carried: [] })
  })

  describe('of an IPv6 pool', () => {
    const six = (isCrossSubnet: boolean): TunnelInput => ({
      ...input,
      pools: [pool('vxlan'), { cidr: parseCidr('fd00:10::/32'), encapsulation: 'vxlan6', isCrossSubnet }],
      placements: [
        ...input.placements,
        { prefix: 'fd00:10:2::/122', node: 'work02' },
        { prefix: 'fd00:10:3::/122', node: 'far' },
      ],
    })

    it('has a tunnel of its own, from IPv6 address to IPv6 address, beside that of IPv4', () => {
      const { fdb, neighbors, routes, carried } = buildTunnels(six(false))
      expect(routes.at(-1)).toEqual({
        family: 6,
        destination: 'fd00:10:3::/122',
        protocol: 80,
        metric: 16,
        gateway: 'fd00:10::103',
        device: 'vxlan-v6.calico',
        onlink: true,
      })
      expect(routes.filter(({ gateway }) => gateway === undefined).map(({ destination }) => destination)).toEqual([
        'fd00:10::102/128',
        'fd00:10::103/128',
      ])
      expect(routes).toHaveLength(6)
      expect(fdb.map(({ destination }) => destination)).toEqual([
        ...['192.168.100.102', '192.168.101.103'],
        ...['fd00:100::102', 'fd00:101::103'],
      ])
      expect(neighbors.at(-1)).toMatchObject({ family: 6, device: 'vxlan-v6.calico', mac: '6a:00:00:00:00:03' })
      expect(carried).toEqual(['10.244.0.0/16', 'fd00:10::/32'])
    })

    it('sends directly within the subnet when the pool says so', () => {
      expect(buildTunnels(six(true)).routes.find(({ destination }) => destination === 'fd00:10:2::/122')).toMatchObject(
        {
          gateway: 'fd00:100::102',
          device: 'ens2',
          metric: 16,
        },
      )
    })

    it('has one route to a far end whose address is borrowed', () => {
      const { placements, ...rest } = six(false)
      const all = [...placements, { prefix: 'fd00:10::102/128', node: 'work02' }]
      const found = buildTunnels({ ...rest, placements: all }).routes
      expect(found.filter(({ destination }) => destination === 'fd00:10::102/128')).toHaveLength(1)
    })

    it('waits for a node that has no IPv6 address', () => {
      const nodes = [
        node('work02', '192.168.100.102', { underlays: { 4: { address: '192.168.100.102', prefixLength: 24 } } }),
      ]
      expect(buildTunnels({ ...six(false), nodes }).carried).toEqual(['10.244.0.0/16'])
    })
  })
})

import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../base/errors.ts'
import { formatCidr } from '../../base/ip.ts'
import { avoidedPrefixes, ipamResult, parseIpamPlugin } from './ipam-plugin.ts'
import type { IPPool } from './resources.ts'

const pool = (cidr: string): IPPool => ({ metadata: { name: cidr }, spec: { cidr } }) as IPPool

function parse(ipam: object, more: object = {}, args: Readonly<Record<string, string>> = {}) {
  const config = { cniVersion: '1.0.0', name: 'net', type: 'bridge', mtu: 'odd', ipam, ...more }
  return parseIpamPlugin({ config, args })
}

describe('the configuration of another plugin', () => {
  test('has pools, gateway and routes in its part ipam; what is the plugin’s own is not looked at', () => {
    const routes = [{ dst: '10.1.0.0/16' }, { dst: '::/0', gw: 'fd00::1' }]
    const read = parse({ type: 'calico-ipam', ipv4_pools: ['a'], assign_ipv6: 'true', gateway: '10.0.0.1', routes })
    expect(read.routed).toMatchObject({ networkName: 'net', ipam: { ipv4_pools: ['a'], assign_ipv6: true } })
    expect(read).toMatchObject({ gateway: '10.0.0.1', routes, ips: undefined })
  })

  test.each([
    ['gateway', { gateway: '10.0.0.1/24' }],
    ['routes[0].dst', { routes: [{ dst: 'default' }] }],
    ['routes[0].gw', { routes: [{ dst: '::/0', gw: 'x' }] }],
  ])('with a wrong ipam.%s is refused with the field', (field, ipam) => {
    expect(() => parse({ type: 'calico-ipam', ...ipam })).toThrow(ConfigError)
    expect(() => parse({ type: 'calico-ipam', ...ipam })).toThrow(`ipam.${field}`)
  })

  test('asks for addresses by runtimeConfig before args.cni, and by that before CNI_ARGS', () => {
    const ipam = { type: 'calico-ipam' }
    const [first, second] = [{ runtimeConfig: { ips: ['10.0.0.3/24'] } }, { args: { cni: { ips: ['10.0.0.4'] } } }]
    expect(parse(ipam, { ...first, ...second }, { IP: '10.0.0.5' }).ips).toEqual(['10.0.0.3/24'])
    expect(parse(ipam, second, { IP: '10.0.0.5' }).ips).toEqual(['10.0.0.4'])
    expect(parse(ipam, {}, { IP: '10.0.0.5,fd00::5' }).ips).toEqual(['10.0.0.5', 'fd00::5'])
    expect(parse(ipam, { runtimeConfig: { ips: [] } }, { IP: '' }).ips).toBeUndefined()
  })
})

test('the answer has the length of the pool, and a route without gateway that of its family', () => {
  const extras = { gateway: '10.0.0.1', routes: [{ dst: '10.1.0.0/16' }, { dst: 'fd01::/64' }] }
  const pools = [pool('10.0.0.0/16'), pool('fd00::/64')]
  expect(ipamResult(['10.0.3.9', 'fd00::9', '10.9.0.1'], extras, pools)).toEqual({
    interfaces: [],
    ips: [
      { address: '10.0.3.9/16', gateway: '10.0.0.1' },
      { address: 'fd00::9/64' },
      // Of no pool: an annotation said so.
      { address: '10.9.0.1/32', gateway: '10.0.0.1' },
    ],
    routes: [{ dst: '10.1.0.0/16', gw: '10.0.0.1' }, { dst: 'fd01::/64' }],
    dns: {},
  })
})

test.each([
  ['10.0.0.0/24', undefined, ['10.0.0.1/32', '10.0.0.0/32', '10.0.0.255/32']],
  ['10.0.0.0/24', '10.0.0.254', ['10.0.0.254/32', '10.0.0.0/32', '10.0.0.255/32']],
  ['10.0.0.0/24', '10.9.0.1', ['10.0.0.1/32', '10.0.0.0/32', '10.0.0.255/32']],
  ['fd00::/64', undefined, ['fd00::1/128', 'fd00::/128']],
  ['10.0.0.0/31', undefined, []],
])('of %s with the gateway %s, %j are nobody’s', (cidr, gateway, expected) => {
  expect(avoidedPrefixes([pool(cidr)], gateway).map(formatCidr)).toEqual(expected)
})

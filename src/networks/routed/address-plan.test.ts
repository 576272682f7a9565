import { describe, expect, it } from 'vitest'
import { planAddresses } from './address-plan.ts'
import { parseRoutedConfig } from './config.ts'
import type { PodAddressing } from './pod-annotations.ts'

const nothing: PodAddressing = { pools: {}, isOutsideIpam: false }
type Settings = Parameters<typeof planAddresses>[0]['settings']
const noIpv6: Settings = { ipv6PoolCidr: undefined, ipAutodetectionMethod: 'first-found' }
const withIpv6: Settings = { ...noIpv6, ipv6PoolCidr: 'fd00::/48' }
const noIpv4: Settings = { ...withIpv6, ipAutodetectionMethod: 'none' }

function plan(
  ipam: object,
  options: { settings?: Settings; ips?: string[]; addressing?: Partial<PodAddressing> } = {},
) {
  const plugin = { cniVersion: '1.0.0', name: 'net', type: 'calico', ipam: { type: 'calico-ipam', ...ipam } }
  const config = parseRoutedConfig({ cniVersion: '1.0.0', name: 'net', plugins: [plugin] })
  const { settings = noIpv6, ips, addressing } = options
  return planAddresses({ config, settings }, { ips }, { ...nothing, ...addressing })
}

describe('the addresses of an attachment', () => {
  it.each([
    [{}, noIpv6, [4]],
    [{}, withIpv6, [4, 6]],
    [{}, noIpv4, [6]],
    [{ assign_ipv6: 'false' }, withIpv6, [4]],
    [{ assign_ipv6: true }, noIpv6, [4, 6]],
    [{ assign_ipv4: 'false', assign_ipv6: 'true' }, noIpv6, [6]],
  ])('are one a family: configuration %j, settings %j', (ipam, settings, families) => {
    expect(plan(ipam, { settings }).wishes.map(({ family }) => family)).toEqual(families)
  })

  it('come from the pools of the annotation, else of the configuration, family by family', () => {
    const ipam = { assign_ipv6: true, ipv4_pools: ['c4'], ipv6_pools: ['c6'] }
    expect(plan(ipam, { addressing: { pools: { 6: ['a6'] } } }).wishes).toEqual([
      { family: 4, pools: ['c4'] },
      { family: 6, pools: ['a6'] },
    ])
  })

  it('are of the families that the annotation names', () => {
    expect(plan({}, { addressing: { families: [6, 4] } }).wishes.map(({ family }) => family)).toEqual([4, 6])
  })

  it('that are named are those and no others', () => {
    const addressing = { addresses: ['10.244.0.7'], isOutsideIpam: true }
    expect(plan({ assign_ipv6: true }, { addressing })).toEqual({
      wishes: [{ family: 4, address: '10.244.0.7', pools: [] }],
      isOutsideIpam: true,
    })
    const ips = ['fd00::0007/64', '10.244.0.9/24']
    expect(plan({}, { ips, addressing })).toEqual({
      wishes: [
        { family: 4, address: '10.244.0.9', pools: [] },
        { family: 6, address: 'fd00::7', pools: [] },
      ],
      isOutsideIpam: false,
    })
  })

  it('cannot be two of one family', () => {
    expect(() => plan({}, { ips: ['10.244.0.7', '10.244.0.8'] })).toThrow('has more than one IPv4 address')
  })
})

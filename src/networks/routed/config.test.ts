import { describe, expect, it } from 'vitest'
import { parseRoutedConfig, parseRoutedSettings } from './config.ts'

function conf(plugin: object) {
  return parseRoutedConfig({
    cniVersion: '0.3.1',
    name: 'k8s-pod-network',
    plugins: [{ cniVersion: '0.3.1', name: 'k8s-pod-network', type: 'calico', ...plugin }],
  })
}

describe('settings of the routed network', () => {
  it("default to Calico's", () => {
    expect(parseRoutedSettings(undefined)).toEqual({
      ipPoolCidr: '192.168.0.0/16',
      blockSize: 26,
      natOutgoing: true,
      ipv6BlockSize: 122,
      ipv6VxlanMode: 'Never',
      ipv6NatOutgoing: false,
      ipipMode: 'Never',
      vxlanMode: 'Never',
      ipAutodetectionMethod: 'first-found',
      mtuBytes: 0,
    })
  })

  it.each([
    [{ ipPoolCidr: '10.244.0.1/16' }, 'networks.routed.ipPoolCidr: "10.244.0.1/16" has host bits set'],
    [{ blockSize: 33 }, 'networks.routed.blockSize'],
    [{ ipPoolCidr: '10.244.0.0/28', blockSize: 24 }, 'larger than the pool'],
    [{ ippool: 'x' }, 'networks.routed'],
    [
      { ipipMode: 'Always', vxlanMode: 'CrossSubnet' },
      'networks.routed.ipipMode: cannot be set together with vxlanMode',
    ],
    [{ ipPoolCidr: 'fd00::/48' }, 'networks.routed.ipPoolCidr: fd00::/48 is not a prefix of IPv4'],
    [{ ipv6PoolCidr: 'fd00::/124' }, 'networks.routed.ipv6BlockSize'],
    [{ ipv6PoolCidr: 'fd00::/48', ipv6BlockSize: 64 }, 'networks.routed.ipv6BlockSize'],
  ])('%j are refused with the field', (raw, message) => {
    expect(() => parseRoutedSettings(raw)).toThrow(message)
  })
})

describe('a CNI configuration of type calico', () => {
  it("takes Calico's own conflist, with texts for booleans and keys that mean nothing here", () => {
    const config = conf({
      log_level: 'info',
      mtu: 1440,
      ipam: { type: 'calico-ipam', assign_ipv4: 'true', ipv4_pools: ['10.244.0.0/16'] },
      policy: { type: 'k8s' },
    })
    expect(config).toMatchObject({ networkName: 'k8s-pod-network', mtu: 1440, log_level: 'info' })
    expect(config.ipam.ipv4_pools).toEqual(['10.244.0.0/16'])
  })

  it('leaves the addresses to another plugin that ipam names, with the configuration as it is', () => {
    const ipam = { type: 'host-local', subnet: 'usePodCidr' }
    expect(conf({ ipam }).ipamPlugin?.plugins).toMatchObject([{ type: 'calico', ipam }])
    expect(conf({}).ipamPlugin).toBeUndefined()
    expect(() => conf({ ipam: { type: '' } })).toThrow('plugins[0].ipam.type')
  })

  it('refuses no family at all', () => {
    expect(() => conf({ ipam: { type: 'calico-ipam', assign_ipv4: 'false' } })).toThrow('assign_ipv4')
    const only6 = conf({ ipam: { type: 'calico-ipam', assign_ipv4: 'false', assign_ipv6: 'true' } })
    expect(only6.ipam).toMatchObject({ assign_ipv4: false, assign_ipv6: true })
  })
})

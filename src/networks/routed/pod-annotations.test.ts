import { describe, expect, it } from 'vitest'
import { podAddressing } from './pod-annotations.ts'

const prefix = 'cni.projectcalico.org/'
const off = { ip_addrs_no_ipam: false, floating_ips: false }

function addressing(
  pod: Record<string, string>,
  { namespace = {}, ifName = 'eth0', features = {} }: { namespace?: object; ifName?: string; features?: object } = {},
) {
  const full = (map: object) =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [`${prefix}${key}`, value]))
  return podAddressing({ pod: full(pod), namespace: full(namespace) }, { ifName, features: { ...off, ...features } })
}

describe("Calico's annotations", () => {
  it('name addresses, pools, families and the MAC address of eth0 only', () => {
    const pod = {
      ipAddrs: '["FD00::0:7","10.244.0.7"]',
      ipv4pools: '["a","10.9.0.0/16"]',
      ipFamilies: '["IPv6"]',
      hwAddr: '1C-0C-0A-C0-FF-EE',
    }
    expect(addressing(pod)).toEqual({
      addresses: ['10.244.0.7', 'fd00::7'],
      isOutsideIpam: false,
      pools: { 4: ['a', '10.9.0.0/16'] },
      families: [6],
      mac: '1c:0c:0a:c0:ff:ee',
      floating: undefined,
    })
    expect(addressing(pod, { ifName: 'net1' })).toEqual({ pools: {}, isOutsideIpam: false })
  })

  it("of the pod go before its namespace's, each by itself, unless they are blank", () => {
    const namespace = { ipv4pools: '["ns"]', ipv6pools: '["ns6"]' }
    expect(addressing({ ipv4pools: '["pod"]' }, { namespace }).pools).toEqual({ 4: ['pod'], 6: ['ns6'] })
    expect(addressing({ ipv4pools: '' }, { namespace }).pools).toEqual({ 4: ['ns'], 6: ['ns6'] })
  })

  it.each([
    ['ipAddrs', '10.244.0.7', 'is not JSON'],
    ['ipAddrs', '[]', 'specified but empty'],
    ['ipAddrs', '[7]', 'is not a list of texts'],
    ['ipAddrs', '["10.244.0.7/32"]', 'invalid IP format: 10.244.0.7/32'],
    [
      'ipAddrs',
      '["10.244.0.7","10.244.0.8"]',
      'cannot have more than one IPv4 address for "cni.projectcalico.org/ipAddrs"',
    ],
    ['ipAddrs', '["fd00::1","fd00::2"]', 'cannot have more than one IPv6 address'],
    ['ipv6pools', '[]', 'specified but empty'],
    ['ipFamilies', '["IPv5"]', '"IPv5" is no family'],
    ['hwAddr', '1c:0c:0a:c0:ff', 'is not the MAC address of an interface'],
    ['hwAddr', '01:00:5e:00:00:01', 'is not the MAC address of an interface'],
    ['ipAddrsNoIpam', '["10.1.1.1"]', 'requested feature is not enabled: ip_addrs_no_ipam'],
    ['floatingIPs', '["10.1.1.1"]', 'requested feature is not enabled: floating_ips'],
  ])('%s %s is refused: %s', (annotation, text, message) => {
    expect(() => addressing({ [annotation]: text })).toThrow(message)
    expect(() => addressing({ [annotation]: text })).toThrow(`annotation ${prefix}${annotation}`)
  })

  it('take addresses past IPAM where the configuration allows it, and never both ways', () => {
    const features = { ip_addrs_no_ipam: true }
    const pod = { ipAddrsNoIpam: '["192.0.2.7"]' }
    expect(addressing(pod, { features })).toMatchObject({ addresses: ['192.0.2.7'], isOutsideIpam: true })
    expect(() => addressing({ ...pod, ipAddrs: '["10.244.0.7"]' }, { features })).toThrow(
      "can't have both annotations: 'ipAddrs' and 'ipAddrsNoIpam' in use at the same time",
    )
  })

  it('name floating addresses where the configuration allows it', () => {
    const pod = { floatingIPs: '["10.99.0.1","FD00:99::1","10.99.0.1"]' }
    expect(addressing(pod, { features: { floating_ips: true } }).floating).toEqual(['10.99.0.1', 'fd00:99::1'])
    expect(() => addressing({ floatingIPs: '["10.99.0.1/32"]' }, { features: { floating_ips: true } })).toThrow(
      'invalid IP format: 10.99.0.1/32',
    )
  })
})

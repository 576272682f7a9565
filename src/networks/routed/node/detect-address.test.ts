import { describe, expect, it } from 'vitest'
import { type DetectionFacts, detectAddress, type HostInterface } from './detect-address.ts'

function host(name: string, index: number, ...addresses: string[]): HostInterface {
  return {
    name,
    index,
    addresses: addresses.map((text) => {
      const [address = '', length] = text.split('/')
      return { address, prefixLength: Number(length) }
    }),
  }
}

const facts: DetectionFacts = {
  family: 4,
  interfaces: [
    host('lo', 1, '127.0.0.1/8', '203.0.113.1/32'),
    host('ens1', 2, '192.168.122.10/24'),
    host('ens2', 3, '192.168.100.10/24'),
    host('ens3', 4, '192.168.200.10/24'),
    host('docker0', 5, '172.17.0.1/16'),
    host('cali0123', 6, '169.254.7.7/16'),
  ],
  internalAddresses: ['192.168.122.10'],
  localAddressTowards: async (destination) => (destination === '8.8.8.8' ? '192.168.122.10' : undefined),
}

async function detect(method: string, change: Partial<DetectionFacts> = {}): Promise<string | undefined> {
  const found = await detectAddress(method, { ...facts, ...change })
  return found === undefined ? undefined : `${found.interfaceName} ${found.address}/${found.prefixLength}`
}

describe('detectAddress', () => {
  it.each([
    ['', 'ens3 192.168.200.10/24'],
    ['first-found', 'ens3 192.168.200.10/24'],
    ['interface=ens2', 'ens2 192.168.100.10/24'],
    ['interface=^ens[12]$', 'ens2 192.168.100.10/24'],
    ['interface=docker0', 'docker0 172.17.0.1/16'],
    ['interface=eth.*,ens1', 'ens1 192.168.122.10/24'],
    ['interface=bond0', undefined],
    ['skip-interface=ens[23]', 'ens1 192.168.122.10/24'],
    ['cidr=10.0.0.0/8,192.168.100.0/24', 'ens2 192.168.100.10/24'],
    ['cidr=192.168.100.0/24,oops', undefined],
    ['can-reach=8.8.8.8', 'ens1 192.168.122.10/24'],
    ['can-reach=192.0.2.1', undefined],
    ['kubernetes-internal-ip', 'ens1 192.168.122.10/24'],
  ])('by "%s" finds %s', async (method, expected) => {
    expect(await detect(method)).toBe(expected)
  })

  it("does not anchor the pattern, and then the interface with the highest index wins, as Calico's does", async () => {
    const interfaces = [...facts.interfaces, host('ens224', 9, '10.1.1.1/8')]
    expect(await detect('interface=ens2', { interfaces })).toBe('ens224 10.1.1.1/8')
    expect(await detect('interface=^ens2$', { interfaces })).toBe('ens2 192.168.100.10/24')
  })

  it('fails when the InternalIP is on no interface', async () => {
    expect(await detect('kubernetes-internal-ip', { internalAddresses: ['192.0.2.9'] })).toBeUndefined()
  })

  it('refuses a method that there is not, and a pattern that is none', async () => {
    await expect(detect('guess')).rejects.toThrow('Invalid IP autodetection method: guess')
    await expect(detect('interface=[')).rejects.toThrow('"[" is not a regular expression')
  })

  it.each([
    ['first-found', 'ens3 fd00:200::10/64'],
    ['cidr=fd00:100::/32', 'ens2 fd00:100::10/64'],
    ['kubernetes-internal-ip', 'ens2 fd00:100::10/64'],
  ])('of IPv6, by "%s", finds %s and no link-local address', async (method, expected) => {
    const interfaces = [
      host('lo', 1, '::1/128'),
      host('ens2', 2, 'fe80::1/64', 'fd00:100::10/64'),
      host('ens3', 3, 'fe80::2/64', 'fd00:200::10/64'),
    ]
    const internalAddresses = ['192.168.122.10', 'fd00:100::10']
    expect(await detect(method, { family: 6, interfaces, internalAddresses })).toBe(expected)
  })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CniError } from './errors.ts'
import { codeOf } from './format-error.ts'
import { resultFromVersion } from './read-result.ts'
import { resultToVersion, supportedVersions } from './versions.ts'

const good = { address: '10.0.0.2/24' }

const wrong: [name: string, result: unknown, message: string][] = [
  ['null', null, 'it is null, not an object'],
  ['a list', [], 'it is [], not an object'],
  ['a version that is a number', { cniVersion: 1 }, 'cniVersion is 1, not a text'],
  ['interfaces that are no list', { interfaces: { name: 'eth0' } }, 'interfaces is {"name":"eth0"}, not a list'],
  ['an interface without name', { interfaces: [{ mac: 'x' }] }, 'interfaces[0].name is absent, not the name'],
  ['an MTU that is a text', { interfaces: [{ name: 'a', mtu: '1500' }] }, 'interfaces[0].mtu is "1500", not a whole'],
  ['a MAC that is a number', { interfaces: [{ name: 'a', mac: 2 }] }, 'interfaces[0].mac is 2, not a text'],
  ['an address without prefix length', { ips: [good, { address: '10.0.0.3' }] }, 'ips[1].address is "10.0.0.3", not'],
  ['a gateway that is a name', { ips: [{ ...good, gateway: 'gw' }] }, 'ips[0].gateway is "gw", not an address'],
  ['a gateway with prefix', { ips: [{ ...good, gateway: '10.0.0.1/24' }] }, 'ips[0].gateway is "10.0.0.1/24", not'],
  [
    'an index beyond the interfaces',
    { interfaces: [{ name: 'a' }], ips: [{ ...good, interface: 1 }] },
    'ips[0].interface is 1, not an index into the 1 interfaces',
  ],
  [
    'a negative index',
    { interfaces: [{ name: 'a' }], ips: [{ ...good, interface: -1 }] },
    'ips[0].interface is -1, not',
  ],
  ['a route without destination', { routes: [{ gw: '10.0.0.1' }] }, 'routes[0].dst is absent, not an address with'],
  ['a route to a name', { routes: [{ dst: 'default' }] }, 'routes[0].dst is "default", not an address with prefix'],
  [
    'a table that is none',
    { routes: [{ dst: '0.0.0.0/0', table: 1.5 }] },
    'routes[0].table is 1.5, not a whole number',
  ],
  ['a priority beyond 32 bits', { routes: [{ dst: '::/0', priority: 2 ** 32 }] }, 'routes[0].priority is 4294967296'],
  ['name servers that are one text', { dns: { nameservers: '10.0.0.1' } }, 'dns.nameservers is "10.0.0.1", not a list'],
  ['a name server that is a number', { dns: { nameservers: [8] } }, 'dns.nameservers[0] is 8, not a text'],
  [
    'the lists of a later version',
    { cniVersion: '0.2.0', ips: [good] },
    'ips does not belong in a result of CNI 0.2.0',
  ],
  ['the block of an earlier version', { ip4: { ip: '10.0.0.2/24' } }, 'ip4 does not belong in a result of CNI 1.1.0'],
  [
    'the wrong family',
    { cniVersion: '0.2.0', ip4: { ip: 'fd00::2/64' } },
    'ip4.ip is "fd00::2/64", not an IPv4 address',
  ],
]

test.each(wrong)('%s is refused with code 6 and the field', (_, result, message) => {
  try {
    resultFromVersion(result)
    expect.fail('it was taken')
  } catch (error) {
    expect(error).toBeInstanceOf(CniError)
    expect((error as Error).message).toContain(`not a CNI result: ${message}`)
    expect(codeOf(error)).toBe(6)
  }
})

test('a version that is not supported is refused with code 1', () => {
  expect(() => resultFromVersion({ cniVersion: '2.0.0' })).toThrow(expect.objectContaining({ code: 1 }))
})

test("what Go writes for nothing is nothing: null, empty texts, an index without interfaces, and a plugin's own keys", () => {
  const ips = [{ ...good, gateway: '', interface: 0, version: '4' }]
  const routes = [{ dst: '0.0.0.0/0', gw: null }]
  const result = { interfaces: null, ips, routes, dns: { nameservers: null, domain: '' }, own: { code: 3 } }
  expect(resultFromVersion(result, '0.4.0')).toEqual({
    interfaces: [],
    ips: [good],
    routes: [{ dst: '0.0.0.0/0' }],
    dns: {},
  })
})

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('', 0, -1, 'eth0', '10.0.0.2/24', 'fd00::2/64', '10.0.0.1', '::1', '0.0.0.0/0', 'ffff::/129'),
)
const keys = ['name', 'mac', 'mtu', 'sandbox', 'address', 'gateway', 'interface', 'dst', 'gw', 'ip', 'routes'] as const
const item = fc.dictionary(fc.constantFrom(...keys, '__proto__', 'nameservers'), odd)
const lists = ['interfaces', 'ips', 'routes', 'dns', 'ip4', 'ip6'] as const
const almost = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...lists), fc.oneof(odd, item, fc.array(item, { maxLength: 3 }))),
    fc.oneof(fc.constantFrom(undefined, null, '', '9', ...supportedVersions), odd),
  )
  .map(([fields, cniVersion]): unknown => ({ cniVersion, ...fields }))

test('anything else is a result that every version can be told of, or is refused with a CNI error', () => {
  fc.assert(
    fc.property(fc.oneof(almost, fc.jsonValue()), fc.constantFrom(...supportedVersions), (raw, version) => {
      try {
        const result = resultFromVersion(raw)
        expect(resultFromVersion(resultToVersion(result, '1.1.0'))).toEqual(result)
        resultToVersion(result, version)
      } catch (error) {
        expect(error).toBeInstanceOf(CniError)
        expect([1, 6]).toContain(codeOf(error))
      }
    }),
    { numRuns: 500 },
  )
}, 60_000)

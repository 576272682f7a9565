import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { familyOf } from '../base/ip.ts'
import { CniError } from './errors.ts'
import { resultFromVersion } from './read-result.ts'
import type { CniInterface, CniIp, CniResult, CniRoute } from './result.ts'
import { compareVersions, type ResultReader, resultToVersion, supportedVersions } from './versions.ts'

/** A v4-mapped IPv6 address counts as IPv4. */
const address = (family: 4 | 6): fc.Arbitrary<string> =>
  family === 4 ? fc.ipV4() : fc.ipV6().filter((text) => familyOf(text) === 6)
const subnet = (family: 4 | 6): fc.Arbitrary<string> =>
  fc.tuple(address(family), fc.nat(family === 4 ? 32 : 128)).map(([text, length]) => `${text}/${length}`)
const oneFamily = fc.constantFrom(4 as const, 6 as const)
const number = fc.nat(0xffff_ffff)

/** An object of which each key is there or not. */
function some<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(shape, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
}

const nic: fc.Arbitrary<CniInterface> = fc
  .tuple(
    fc.stringMatching(/^[a-z][a-z0-9]{0,14}$/),
    some({
      mac: fc.constantFrom('02:00:00:00:00:01', '02:00:00:00:00:02'),
      mtu: fc.nat(65_535),
      sandbox: fc.constantFrom('/run/netns/a', '/proc/7/ns/net'),
      socketPath: fc.constant('/run/vhost/0'),
      pciID: fc.constant('0000:00:01.0'),
    }),
  )
  .map(([name, rest]) => ({ name, ...rest }))

const route: fc.Arbitrary<CniRoute> = oneFamily.chain((family) =>
  fc
    .tuple(
      subnet(family),
      some({ gw: address(family), mtu: number, advmss: number, priority: number, table: number, scope: fc.nat(255) }),
    )
    .map(([dst, rest]) => ({ dst, ...rest })),
)

const dns = some({
  nameservers: fc.array(address(4), { maxLength: 3 }),
  domain: fc.domain(),
  search: fc.array(fc.domain(), { maxLength: 2 }),
  options: fc.array(fc.constantFrom('ndots:5', 'edns0'), { maxLength: 2 }),
})

/** Any result that a plugin may give, in the form of 1.1.0. */
const result: fc.Arbitrary<CniResult> = fc.array(nic, { maxLength: 3 }).chain((interfaces) => {
  const index = interfaces.length === 0 ? {} : { interface: fc.nat(interfaces.length - 1) }
  const ip: fc.Arbitrary<CniIp> = oneFamily.chain((family) =>
    fc
      .tuple(subnet(family), some<Omit<CniIp, 'address'>>({ gateway: address(family), ...index }))
      .map(([text, rest]) => ({ address: text, ...rest })),
  )
  return fc.record({
    interfaces: fc.constant(interfaces),
    ips: fc.array(ip, { maxLength: 4 }),
    routes: fc.array(route, { maxLength: 4 }),
    dns,
  })
})

const pairs = supportedVersions.flatMap((from) => supportedVersions.map((to) => [from, to] as const))
const isOld = (version: string): boolean => compareVersions(version, '0.3.0') < 0
const familyOfSubnet = (text: string): 4 | 6 => familyOf(text.replace(/\/.*/, ''))

/** What of a result the specification of a version has words for. */
function expressible(whole: CniResult, version: string): CniResult {
  if (isOld(version)) return expressibleInFirstForm(whole)
  if (version === '1.1.0') return whole
  return {
    interfaces: whole.interfaces.map(({ mtu: _, socketPath: __, pciID: ___, ...rest }) => rest),
    ips: whole.ips,
    routes: whole.routes.map(bare),
    dns: whole.dns,
  }
}

function bare({ dst, gw }: CniRoute): CniRoute {
  return gw === undefined ? { dst } : { dst, gw }
}

/** One address of each family, and the routes of the families that there are; IPv4 comes first. */
function expressibleInFirstForm({ ips, routes, dns: names }: CniResult): CniResult {
  const first = ([4, 6] as const).flatMap((family) => ips.find((ip) => familyOfSubnet(ip.address) === family) ?? [])
  const families = first.map((ip) => familyOfSubnet(ip.address))
  return {
    interfaces: [],
    ips: first.map(({ interface: _, ...ip }) => ip),
    routes: families.flatMap((family) => routes.filter(({ dst }) => familyOfSubnet(dst) === family)).map(bare),
    dns: names,
  }
}

const canSay = (version: string, whole: CniResult): boolean => !isOld(version) || whole.ips.length > 0

function convert(raw: unknown, to: string, reader: ResultReader = 'runtime'): Record<string, unknown> {
  // As on the wire: what JSON cannot say would not arrive.
  return JSON.parse(JSON.stringify(resultToVersion(resultFromVersion(raw), to, reader)))
}

/** 49 pairs take their time. */
const runs = { numRuns: 40 }

describe.each(pairs)('a result of %s as %s', (from, to) => {
  test('has all that both versions can say, and nothing that the version does not know', () => {
    fc.assert(
      fc.property(result, (whole) => {
        fc.pre(canSay(from, whole) && canSay(to, whole))
        const older = compareVersions(from, to) < 0 ? from : to
        const converted = convert(resultToVersion(whole, from), to)
        expect(converted.cniVersion).toBe(to)
        expect(resultFromVersion(converted)).toEqual(expressible(whole, older))
      }),
      runs,
    )
  })

  test('converted once more is the same, and comes back as it was where nothing was lost', () => {
    fc.assert(
      fc.property(result, (whole) => {
        fc.pre(canSay(from, whole) && canSay(to, whole))
        const original = resultToVersion(whole, from)
        const converted = convert(original, to)
        expect(convert(converted, to)).toEqual(converted)
        if (compareVersions(from, to) <= 0) expect(convert(converted, from)).toEqual(original)
      }),
      runs,
    )
  })
})

describe.each(supportedVersions)('a result of %s', (version) => {
  test('has the keys of its version and no others', () => {
    fc.assert(
      fc.property(result, (whole) => {
        fc.pre(canSay(version, whole))
        const told = resultToVersion(whole, version)
        const keys = isOld(version) ? ['ip4', 'ip6', 'dns'] : ['interfaces', 'ips', 'routes', 'dns']
        expect(Object.keys(told).filter((key) => ![...keys, 'cniVersion'].includes(key))).toEqual([])
        const hasFamily = ['0.3.0', '0.3.1', '0.4.0'].includes(version)
        for (const ip of (told.ips ?? []) as (CniIp & { version?: string })[]) {
          expect(ip.version).toBe(hasFamily ? String(familyOfSubnet(ip.address)) : undefined)
        }
      }),
    )
  })

  test('without any address is refused where the version has nothing else to say', () => {
    const none = { interfaces: [{ name: 'eth0' }], ips: [], routes: [], dns: {} }
    if (isOld(version)) expect(() => resultToVersion(none, version)).toThrow(CniError)
    else expect(resultToVersion(none, version)).toMatchObject({ interfaces: [{ name: 'eth0' }] })
  })
})

test.each(supportedVersions.filter((version) => !isOld(version)))(
  'a result of %s for the next plugin of a chain keeps the attributes that 1.1.0 brought',
  (version) => {
    fc.assert(
      fc.property(result, (whole) => {
        expect(resultFromVersion(convert(resultToVersion(whole, version, 'plugin'), version, 'plugin'))).toEqual(whole)
      }),
    )
  },
)

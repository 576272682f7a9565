import { familyOf, parseInterfaceAddress } from '../base/ip.ts'
import { CniError, cniErrorCode } from './errors.ts'
import type { CniInterface, CniIp, CniResult, CniRoute } from './result.ts'

/** Every version of the specification that is understood, oldest first. */
export const supportedVersions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const

export const newestVersion = '1.1.0'

/** Version of a configuration that names none (spec section 1). */
export const assumedVersion = '0.1.0'

export function isSupportedVersion(version: string): boolean {
  return (supportedVersions as readonly string[]).includes(version)
}

/** Negative, zero or positive as `a` is older than, equal to or newer than `b`. Both must be supported. */
export function compareVersions(a: string, b: string): number {
  return rankOf(a) - rankOf(b)
}

function rankOf(version: string): number {
  const rank = (supportedVersions as readonly string[]).indexOf(version)
  if (rank >= 0) return rank
  throw new CniError(cniErrorCode.incompatibleVersion, `CNI version "${version}" is not supported`, {
    fix: `Use one of ${supportedVersions.join(', ')}.`,
  })
}

/** A result as a runtime of that version expects it. What the version cannot say is lost. Throws CniError. */
export function resultToVersion(result: CniResult, version: string): Record<string, unknown> {
  if (compareVersions(version, '0.3.0') < 0) return toFirstForm(result, version)
  const isNewest = compareVersions(version, '1.1.0') >= 0
  const hasFamily = compareVersions(version, '1.0.0') < 0
  return {
    cniVersion: version,
    interfaces: result.interfaces.map((item) => (isNewest ? item : pick(item, 'name', 'mac', 'sandbox'))),
    ips: result.ips.map((ip) => ({ ...(hasFamily ? { version: String(familyOfIp(ip)) } : {}), ...ip })),
    routes: result.routes.map((route) => (isNewest ? route : pick(route, 'dst', 'gw'))),
    dns: result.dns,
  }
}

/** Reads a result of any version. A missing version is the newest. Throws CniError when it is not a result. */
export function resultFromVersion(raw: unknown, assumed: string = newestVersion): CniResult {
  const source = asObject(raw, 'result')
  const version = typeof source.cniVersion === 'string' && source.cniVersion !== '' ? source.cniVersion : assumed
  if (compareVersions(version, '0.3.0') < 0) return fromFirstForm(source)
  return {
    interfaces: asList(source.interfaces, 'interfaces').map(
      (item) => asObject(item, 'interfaces') as unknown as CniInterface,
    ),
    ips: asList(source.ips, 'ips').map(readIp),
    routes: asList(source.routes, 'routes').map((item) => asObject(item, 'routes') as unknown as CniRoute),
    dns: asObject(source.dns ?? {}, 'dns'),
  }
}

/** Versions 0.1.0 and 0.2.0 know one address a family and no interfaces. */
function toFirstForm(result: CniResult, version: string): Record<string, unknown> {
  const blocks: Record<string, unknown> = {}
  for (const family of [4, 6] as const) {
    const ip = result.ips.find((candidate) => familyOfIp(candidate) === family)
    if (ip === undefined) continue
    const routes = result.routes.filter((route) => familyOf(route.dst.replace(/\/.*/, '')) === family)
    blocks[`ip${family}`] = {
      ip: ip.address,
      ...(ip.gateway === undefined ? {} : { gateway: ip.gateway }),
      ...(routes.length === 0 ? {} : { routes: routes.map((route) => pick(route, 'dst', 'gw')) }),
    }
  }
  if (Object.keys(blocks).length === 0) {
    throw new CniError(
      cniErrorCode.incompatibleVersion,
      `a result without an address cannot be told in CNI ${version}`,
      {
        fix: 'Use cniVersion 0.3.0 or later in the configuration.',
      },
    )
  }
  return { cniVersion: version, ...blocks, dns: result.dns }
}

function fromFirstForm(source: Record<string, unknown>): CniResult {
  const blocks = [source.ip4, source.ip6].filter((block) => block !== undefined && block !== null)
  const read = blocks.map((block) => asObject(block, 'ip4 or ip6'))
  return {
    interfaces: [],
    ips: read.map((block) => readIp({ address: block.ip, gateway: block.gateway })),
    routes: read.flatMap((block) => asList(block.routes, 'routes') as CniRoute[]),
    dns: asObject(source.dns ?? {}, 'dns'),
  }
}

function readIp(raw: unknown): CniIp {
  const source = asObject(raw, 'ips')
  if (typeof source.address !== 'string' || !isInterfaceAddress(source.address)) {
    throw malformed('ips', `has ${JSON.stringify(source.address)} where an address with prefix length belongs`)
  }
  return {
    address: source.address,
    ...(typeof source.gateway === 'string' && source.gateway !== '' ? { gateway: source.gateway } : {}),
    // Index 0 is an interface, not "absent".
    ...(typeof source.interface === 'number' ? { interface: source.interface } : {}),
  }
}

function isInterfaceAddress(text: string): boolean {
  try {
    return parseInterfaceAddress(text) !== undefined
  } catch {
    return false
  }
}

function familyOfIp(ip: CniIp): 4 | 6 {
  return parseInterfaceAddress(ip.address).family
}

function pick<T extends object>(object: T, ...keys: (keyof T)[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]]))
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw malformed(what, 'is not an object')
}

function asList(value: unknown, what: string): unknown[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  throw malformed(what, 'is not a list')
}

function malformed(what: string, problem: string): CniError {
  return new CniError(cniErrorCode.decodingFailure, `not a CNI result: ${what} ${problem}`)
}

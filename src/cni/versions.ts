import { familyOf, parseInterfaceAddress } from '../base/ip.ts'
import { CniError, cniErrorCode } from './errors.ts'
import type { CniIp, CniResult } from './result.ts'

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

/** Who a result is written for. A runtime is told what its version has, a plugin also the newer keys, as libcni does. */
export type ResultReader = 'runtime' | 'plugin'

/**
 * A result as a reader of that version expects it. What the version cannot say is lost: before 1.1.0 the attributes of
 * interfaces and routes that 1.1.0 brought (for a plugin they are kept, so that they come through a chain whose
 * configuration has an older version); before 0.3.0 interfaces, and all addresses but the first of each family.
 * Throws CniError.
 */
export function resultToVersion(
  result: CniResult,
  version: string,
  reader: ResultReader = 'runtime',
): Record<string, unknown> {
  if (compareVersions(version, '0.3.0') < 0) return toFirstForm(result, version)
  const isWhole = reader === 'plugin' || compareVersions(version, '1.1.0') >= 0
  const hasFamily = compareVersions(version, '1.0.0') < 0
  return {
    cniVersion: version,
    interfaces: result.interfaces.map((item) => (isWhole ? item : pick(item, 'name', 'mac', 'sandbox'))),
    ips: result.ips.map((ip) => ({ ...(hasFamily ? { version: String(familyOfIp(ip)) } : {}), ...ip })),
    routes: result.routes.map((route) => (isWhole ? route : pick(route, 'dst', 'gw'))),
    dns: result.dns,
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

function familyOfIp(ip: CniIp): 4 | 6 {
  return parseInterfaceAddress(ip.address).family
}

function pick<T extends object>(object: T, ...keys: (keyof T)[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]]))
}

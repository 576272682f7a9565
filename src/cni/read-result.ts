import { type Family, isAddress, parseInterfaceAddress } from '../base/ip.ts'
import { CniError, cniErrorCode } from './errors.ts'
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from './result.ts'
import { compareVersions, newestVersion } from './versions.ts'

/**
 * Reads the result of a plugin, of any version. What the specification does not name is dropped; null and the empty
 * text stand for "absent", as Go writes them. `assumed` is the version of a result that names none.
 *
 * Throws CniError: 6 with the path of the field that is wrong, e.g. `ips[1].gateway`; 1 for a version not supported.
 */
export function resultFromVersion(raw: unknown, assumed: string = newestVersion): CniResult {
  const source = readObject(raw, 'it')
  const version = readText(source.cniVersion, 'cniVersion') ?? assumed
  const isFirstForm = compareVersions(version, '0.3.0') < 0
  for (const key of isFirstForm ? ['interfaces', 'ips', 'routes'] : ['ip4', 'ip6']) {
    if (!isAbsent(source[key])) throw malformed(`${key} does not belong in a result of CNI ${version}`)
  }
  return isFirstForm ? readFirstForm(source) : readLists(source)
}

function readLists(source: Fields): CniResult {
  const interfaces = readList(source.interfaces, 'interfaces', readInterface)
  return {
    interfaces,
    ips: readList(source.ips, 'ips', (item, at) => readIp(item, at, interfaces.length)),
    routes: readList(source.routes, 'routes', readRoute),
    dns: readDns(source.dns),
  }
}

/** Versions 0.1.0 and 0.2.0: one address a family, each with its routes. */
function readFirstForm(source: Fields): CniResult {
  const blocks = ([4, 6] as const).flatMap((family) => {
    const at = `ip${family}`
    return isAbsent(source[at]) ? [] : [readBlock(source[at], at, family)]
  })
  return {
    interfaces: [],
    ips: blocks.map((block) => block.ip),
    routes: blocks.flatMap((block) => block.routes),
    dns: readDns(source.dns),
  }
}

function readBlock(raw: unknown, at: string, family: Family): { ip: CniIp; routes: CniRoute[] } {
  const { ip, gateway, routes } = readObject(raw, at)
  return {
    ip: omitAbsent({ address: readSubnet(ip, `${at}.ip`, family), gateway: readAddress(gateway, `${at}.gateway`) }),
    routes: readList(routes, `${at}.routes`, readRoute),
  }
}

function readInterface(raw: unknown, at: string): CniInterface {
  const { name, mac, mtu, sandbox, socketPath, pciID } = readObject(raw, at)
  return omitAbsent({
    name: readText(name, `${at}.name`) ?? refuse(name, `${at}.name`, 'the name of an interface'),
    mac: readText(mac, `${at}.mac`),
    mtu: readWhole(mtu, `${at}.mtu`),
    sandbox: readText(sandbox, `${at}.sandbox`),
    socketPath: readText(socketPath, `${at}.socketPath`),
    pciID: readText(pciID, `${at}.pciID`),
  })
}

/** An index into a list that is empty says nothing: some plugins give their addresses one without any interface. */
function readIp(raw: unknown, at: string, interfaceCount: number): CniIp {
  const { address, gateway, interface: index } = readObject(raw, at)
  const owner = interfaceCount === 0 ? undefined : readWhole(index, `${at}.interface`)
  if (owner !== undefined && owner >= interfaceCount) {
    refuse(index, `${at}.interface`, `an index into the ${interfaceCount} interfaces`)
  }
  return omitAbsent({
    address: readSubnet(address, `${at}.address`),
    gateway: readAddress(gateway, `${at}.gateway`),
    interface: owner,
  })
}

function readRoute(raw: unknown, at: string): CniRoute {
  const { dst, gw, mtu, advmss, priority, table, scope } = readObject(raw, at)
  return omitAbsent({
    dst: readSubnet(dst, `${at}.dst`),
    gw: readAddress(gw, `${at}.gw`),
    mtu: readWhole(mtu, `${at}.mtu`),
    advmss: readWhole(advmss, `${at}.advmss`),
    priority: readWhole(priority, `${at}.priority`),
    table: readWhole(table, `${at}.table`),
    scope: readWhole(scope, `${at}.scope`),
  })
}

function readDns(raw: unknown): CniDns {
  if (isAbsent(raw)) return {}
  const { nameservers, domain, search, options } = readObject(raw, 'dns')
  const texts = (list: unknown, at: string): string[] | undefined =>
    isAbsent(list)
      ? undefined
      : readList(list, at, (item, where) => readText(item, where) ?? refuse(item, where, 'a text'))
  return omitAbsent({
    nameservers: texts(nameservers, 'dns.nameservers'),
    domain: readText(domain, 'dns.domain'),
    search: texts(search, 'dns.search'),
    options: texts(options, 'dns.options'),
  })
}

type Fields = Readonly<Record<string, unknown>>

function readObject(value: unknown, at: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  return refuse(value, at, 'an object')
}

function readList<T>(value: unknown, at: string, read: (item: unknown, at: string) => T): T[] {
  if (isAbsent(value)) return []
  if (!Array.isArray(value)) return refuse(value, at, 'a list')
  return value.map((item, index) => read(item, `${at}[${index}]`))
}

function readText(value: unknown, at: string): string | undefined {
  if (isAbsent(value) || value === '') return undefined
  return typeof value === 'string' ? value : refuse(value, at, 'a text')
}

/** A number as the kernel takes it. */
function readWhole(value: unknown, at: string): number | undefined {
  if (isAbsent(value)) return undefined
  const isWhole = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff
  return isWhole ? value : refuse(value, at, 'a whole number from 0 to 4294967295')
}

function readAddress(value: unknown, at: string): string | undefined {
  const text = readText(value, at)
  return text === undefined || isAddress(text) ? text : refuse(value, at, 'an address')
}

function readSubnet(value: unknown, at: string, family?: Family): string {
  const found = typeof value === 'string' ? familyOfSubnet(value) : undefined
  if (found !== undefined && (family === undefined || found === family)) return value as string
  return refuse(value, at, `an ${family === undefined ? '' : `IPv${family} `}address with prefix length`)
}

function familyOfSubnet(text: string): Family | undefined {
  try {
    return parseInterfaceAddress(text).family
  } catch {
    return undefined
  }
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

function omitAbsent<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>
}

function refuse(value: unknown, at: string, wanted: string): never {
  const shown = value === undefined ? 'absent' : JSON.stringify(value).slice(0, 80)
  throw malformed(`${at} is ${shown}, not ${wanted}`)
}

function malformed(problem: string): CniError {
  return new CniError(cniErrorCode.decodingFailure, `not a CNI result: ${problem}`)
}

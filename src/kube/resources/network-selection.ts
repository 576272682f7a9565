import { familyOf, isAddress, parseInterfaceAddress } from '../../base/ip.ts'
import { type CommentedJson, CommentedJsonError, type Position, parseCommentedJson } from './commented-json.ts'
import { checkInterfaceName, checkName, NetworkAnnotationError, refuse, SelectionElement } from './selection-element.ts'

export { NetworkAnnotationError } from './selection-element.ts'

/** One element of a pod's networks annotation (NPWG standard v1.3, section 4.1.2), after defaults. */
export interface NetworkSelection {
  readonly name: string
  readonly namespace: string
  /** Interface name asked for; undefined = the meta-plugin chooses net1, net2 … */
  readonly interface?: string | undefined
  readonly ips?: readonly string[] | undefined
  readonly mac?: string | undefined
  readonly infinibandGuid?: string | undefined
  readonly portMappings?: readonly unknown[] | undefined
  readonly bandwidth?: Readonly<Record<string, number>> | undefined
  readonly deviceId?: string | undefined
  readonly cniArgs?: Readonly<Record<string, unknown>> | undefined
  /** Absent and empty mean different things. */
  readonly defaultRoute?: readonly string[] | undefined
  readonly ipamClaimReference?: string | undefined
}

export interface ParsedNetworks {
  readonly selections: readonly NetworkSelection[]
  /** What was accepted here but other implementations reject or ignore: one sentence each, naming the line. */
  readonly warnings: readonly string[]
}

/** What else can be told about the pod. */
export interface ParseNetworksOptions {
  /** Interface of the default network, which no other attachment may take. @default eth0 */
  defaultInterface?: string
}

/**
 * Parses the annotation `k8s.v1.cni.cncf.io/networks`: JSON when it holds any of `[`, `{`, `"`, else the short form
 * `[<namespace>/]<name>[@<interface>],…`. Absent or blank text selects nothing.
 *
 * Beyond the standard, `#` and `//` comments in the JSON form are accepted, with a warning. Throws
 * NetworkAnnotationError.
 */
export function parseNetworks(
  text: string | undefined,
  podNamespace: string,
  options: ParseNetworksOptions = {},
): ParsedNetworks {
  if (text === undefined || text.trim() === '') return { selections: [], warnings: [] }
  const parsed = /[[{"]/.test(text) ? parseJsonForm(text, podNamespace) : parseShortForm(text, podNamespace)
  checkTogether(parsed.selections, options.defaultInterface ?? 'eth0')
  return parsed
}

function parseShortForm(text: string, podNamespace: string): ParsedNetworks {
  let column = 1
  const selections = text.split(',').map((item) => {
    const where = { line: 1, column: column + item.length - item.trimStart().length }
    column += item.length + 1
    return parseShortItem(item.trim(), podNamespace, where)
  })
  return { selections, warnings: [] }
}

function parseShortItem(item: string, podNamespace: string, place: Position): NetworkSelection {
  if (item === '') throw refuse(place, 'an empty network name', 'Remove the extra comma.')
  const match = /^(?:([^/@]*)\/)?([^/@]*)(?:@([^@]*))?$/.exec(item)
  if (match === null) {
    throw refuse(
      place,
      `"${item}" is not of the form [<namespace>/]<name>[@<interface>]`,
      'Use one "/" and one "@" at most.',
    )
  }
  const [, namespace, name = '', wanted] = match
  checkName(place, 'network name', name.trim())
  if (namespace !== undefined) checkName(place, 'namespace', namespace.trim())
  if (wanted !== undefined) checkInterfaceName(place, wanted.trim())
  return {
    name: name.trim(),
    namespace: namespace?.trim() ?? podNamespace,
    ...(wanted === undefined ? {} : { interface: wanted.trim() }),
  }
}

function parseJsonForm(text: string, podNamespace: string): ParsedNetworks {
  const json = readJson(text)
  if (!Array.isArray(json.value)) {
    throw refuse(json.positionOf('') ?? 'line 1', 'must be a list', 'Put [ and ] around the networks.')
  }
  const unknownKeys: string[] = []
  const selections = json.value.map((item, index) =>
    parseElement(new SelectionElement(json, item, `[${index}]`, unknownKeys), podNamespace),
  )
  return { selections, warnings: [...commentWarnings(json), ...unknownKeys] }
}

function readJson(text: string): CommentedJson {
  try {
    return parseCommentedJson(text)
  } catch (cause) {
    if (!(cause instanceof CommentedJsonError)) throw cause
    const fix = cause.fix ?? 'Correct the JSON text of the annotation.'
    throw new NetworkAnnotationError(`networks annotation is not valid JSON: ${cause.message}`, {
      fix,
      cause,
      position: cause.position,
    })
  }
}

function commentWarnings(json: CommentedJson): string[] {
  const first = json.comments[0]
  if (first === undefined) return []
  const lines = [...new Set(json.comments.map((comment) => comment.line))]
  const which = lines.length === 1 ? `line ${lines[0]}` : `lines ${lines.slice(0, -1).join(', ')} and ${lines.at(-1)}`
  return [
    `networks annotation has a "${first.marker}" comment on ${which} (first at column ${first.column}); JSON has no comments: accepted here, but other implementations will reject it`,
  ]
}

/** Keys of an element of the JSON form; others are ignored. */
export const selectionKeys: ReadonlySet<string> = new Set([
  'name',
  'namespace',
  'interface',
  'interfaceRequest',
  'ips',
  'mac',
  'infiniband-guid',
  'portMappings',
  'bandwidth',
  'deviceID',
  'cni-args',
  'default-route',
  'ipam-claim-reference',
])

function parseElement(element: SelectionElement, podNamespace: string): NetworkSelection {
  element.warnUnknown(selectionKeys)
  const selection: NetworkSelection = {
    name: element.requiredName('name'),
    namespace: element.name('namespace') ?? podNamespace,
    interface: element.interfaceName('interface') ?? element.interfaceName('interfaceRequest'),
    ips: element.strings('ips', 'an IP address or CIDR', isAddressOrCidr),
    mac: element.hardwareAddress('mac', 6),
    infinibandGuid: element.hardwareAddress('infiniband-guid', 8),
    portMappings: element.list('portMappings'),
    bandwidth: element.numbers('bandwidth'),
    deviceId: element.text('deviceID'),
    cniArgs: element.object('cni-args'),
    defaultRoute: element.strings('default-route', 'the IP address of a gateway', isAddress),
    ipamClaimReference: element.text('ipam-claim-reference'),
  }
  if (selection.ips !== undefined && selection.ipamClaimReference !== undefined) {
    throw element.refuse('ips', '"ips" and "ipam-claim-reference" exclude each other', 'Keep one of them.')
  }
  return dropUndefined(selection)
}

function dropUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}

function isAddressOrCidr(text: string): boolean {
  if (isAddress(text)) return true
  try {
    return parseInterfaceAddress(text) !== undefined
  } catch {
    return false
  }
}

/** What only shows when all elements are seen together. */
function checkTogether(selections: readonly NetworkSelection[], defaultInterface: string): void {
  const taken = new Set<string>()
  const gatewayOf = new Map<number, string>()
  for (const selection of selections) {
    const wanted = selection.interface
    if (wanted === defaultInterface) {
      const problem = `network "${selection.name}" asks for the interface "${wanted}", which belongs to the default network`
      throw new NetworkAnnotationError(problem, { fix: 'Choose another name, e.g. "eth1".' })
    }
    if (wanted !== undefined && taken.has(wanted)) {
      throw new NetworkAnnotationError(`two networks ask for the interface "${wanted}"`, { fix: 'Rename one of them.' })
    }
    if (wanted !== undefined) taken.add(wanted)
    for (const gateway of selection.defaultRoute ?? []) checkGateway(gatewayOf, gateway)
  }
}

function checkGateway(gatewayOf: Map<number, string>, gateway: string): void {
  const family = familyOf(gateway)
  const other = gatewayOf.get(family)
  if (other !== undefined) {
    throw new NetworkAnnotationError(
      `"default-route" names two IPv${family} gateways, ${other} and ${gateway}; a pod has one default route a family`,
      { fix: 'Keep one gateway for each of IPv4 and IPv6.' },
    )
  }
  gatewayOf.set(family, gateway)
}

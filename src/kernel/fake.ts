import { netnsName } from './describe.ts'
import { KernelError } from './errors.ts'
import { deleteAddress, ensureAddress } from './fake/addresses.ts'
import {
  deleteLink,
  deleteLinkGroup,
  ensureBridge,
  ensureIpip,
  ensureVeth,
  ensureVxlan,
  type FindNetns,
  setLink,
} from './fake/links.ts'
import { type FakeLink, FakeNamespace, reportLink } from './fake/namespace.ts'
import {
  deleteFdb,
  deleteNeighbor,
  deleteRoute,
  deleteRule,
  ensureFdb,
  ensureNeighbor,
  ensureRoute,
  ensureRule,
} from './fake/routes.ts'
import type {
  DeviceSettings,
  Kernel,
  KernelEvent,
  KernelWatch,
  Netns,
  NftChange,
  Operation,
  OperationBatch,
  WatchFilter,
} from './kernel.ts'
import { operationError } from './operation-error.ts'
import { concerns } from './watch-filter.ts'

/** A kernel in memory, and what a test may do to it from outside. */
export interface FakeKernel extends Kernel {
  /** Makes an empty namespace that answers to this path. */
  addNetns(path: string): void
  /** Deletes a namespace with its links and their peers; without effect when it is not there. */
  removeNetns(path: string): void
  /** A device that no operation makes, such as a NIC. */
  addDevice(netns: Netns, name: string, fields?: Partial<Pick<FakeLink, 'kind' | 'mac' | 'mtuBytes' | 'isUp'>>): void
  /** Everything applied so far, in order. */
  readonly applied: readonly { readonly netns: Netns; readonly operation: Operation }[]
  /** The next operation that `matches` fails with this errno name. */
  failNext(matches: (operation: Operation, netns: Netns) => boolean, code: string): void
  /** The nft commands that a namespace has been given. */
  nftCommands(netns: Netns): readonly string[]
  /** What `nftList` of a namespace answers. @default [] */
  setNftList(netns: Netns, list: unknown[]): void
}

/**
 * Keeps the promises of `Kernel` that unit tests depend on: veth pairs, connected and local routes, replacement,
 * idempotence, errno names. It knows no packets, no nft language and no sockets.
 */
export function createFakeKernel(): FakeKernel {
  return new MemoryKernel()
}

class MemoryKernel implements FakeKernel {
  readonly applied: { netns: Netns; operation: Operation }[] = []
  readonly #namespaces = new Map<Netns, FakeNamespace>([[undefined, new FakeNamespace()]])
  readonly #lists = new Map<Netns, unknown[]>()
  #failures: { matches: (operation: Operation, netns: Netns) => boolean; code: string }[] = []

  addNetns(path: string): void {
    if (!this.#namespaces.has(path)) this.#namespaces.set(path, new FakeNamespace())
  }

  removeNetns(path: string): void {
    const netns = this.#namespaces.get(path)
    for (const name of [...(netns?.links.keys() ?? [])]) if (netns !== undefined) deleteLink(netns, name)
    this.#namespaces.delete(path)
  }

  addDevice(netns: Netns, name: string, fields: Partial<FakeLink> = {}): void {
    this.#find(netns).addLink({ name, ...fields })
  }

  failNext(matches: (operation: Operation, netns: Netns) => boolean, code: string): void {
    this.#failures.push({ matches, code })
  }

  nftCommands(netns: Netns): readonly string[] {
    return this.#find(netns).nftCommands
  }

  setNftList(netns: Netns, list: unknown[]): void {
    this.#lists.set(netns, list)
  }

  async apply(netns: Netns, operations: readonly Operation[]): Promise<void> {
    const target = this.#find(netns)
    for (const operation of operations) {
      try {
        this.#failWhenAsked(operation, netns)
        this.#applyOne(target, operation)
      } catch (error) {
        throw operationError(error, operation, netns)
      }
      this.applied.push({ netns, operation })
    }
  }

  async applyEach(batches: readonly OperationBatch[]): Promise<void> {
    for (const { netns, operations } of batches) await this.apply(netns, operations)
  }

  links: Kernel['links'] = async (netns) => [...this.#find(netns).links.values()].map(reportLink)

  findLink: Kernel['findLink'] = async (netns, name) => {
    const link = this.#find(netns).links.get(name)
    return link === undefined ? undefined : reportLink(link)
  }

  addresses: Kernel['addresses'] = async (netns, device) => {
    const target = this.#find(netns)
    const index = device === undefined ? undefined : target.getLink(device).index
    return target.addresses.filter((address) => index === undefined || address.linkIndex === index)
  }

  routes: Kernel['routes'] = async (netns, options = {}) =>
    this.#find(netns).routes.filter(
      (route) =>
        route.table === (options.table ?? 254) &&
        (options.family === undefined || route.family === options.family) &&
        (options.protocol === undefined || route.protocol === options.protocol) &&
        (options.device === undefined ||
          route.device === options.device ||
          (route.nextHops?.some((hop) => hop.device === options.device) ?? false)),
    )

  rules: Kernel['rules'] = async (netns, family) =>
    this.#find(netns).rules.filter((rule) => family === undefined || rule.family === family)

  neighbors: Kernel['neighbors'] = async (netns, device) => {
    const target = this.#find(netns)
    if (device !== undefined) target.getLink(device)
    return target.neighbors.filter((neighbor) => device === undefined || neighbor.device === device)
  }

  fdb: Kernel['fdb'] = async (netns, device) => {
    const target = this.#find(netns)
    target.getLink(device)
    return target.fdb.filter((entry) => entry.device === device)
  }

  readSysctl: Kernel['readSysctl'] = async (netns, key) => {
    const target = this.#find(netns)
    return hasSysctl(target, key) ? (target.sysctls.get(key) ?? '0') : undefined
  }

  hasChecksumOffload: Kernel['hasChecksumOffload'] = async (netns, device) =>
    this.#find(netns).getLink(device).hasChecksumOffload

  nft: Kernel['nft'] = async (netns, commands) => {
    const target = this.#find(netns)
    target.nftCommands.push(commands)
    for (const [, family = '', table = ''] of commands.matchAll(/^table (\S+) (\S+)/gm))
      target.emitNft({ family, table })
  }

  nftList: Kernel['nftList'] = async (netns) => {
    this.#find(netns)
    return this.#lists.get(netns) ?? []
  }

  listenTcp: Kernel['listenTcp'] = (netns, address, port) => refuseSocket(`listen on ${address} port ${port}`, netns)

  connectTcp: Kernel['connectTcp'] = (netns, address, port) => refuseSocket(`connect to ${address} port ${port}`, netns)

  watch(netns: Netns, onEvent: (event: KernelEvent) => void, _onResync: () => void, filter?: WatchFilter): KernelWatch {
    const target = this.#namespaces.get(netns)
    const names = { get: (index: number) => target?.nameOf(index) }
    return this.#listen(netns, target?.listeners, (event: KernelEvent) => {
      if (filter === undefined || concerns(event, filter, names)) onEvent(event)
    })
  }

  watchNft(netns: Netns, onChange: (change: NftChange) => void): KernelWatch {
    return this.#listen(netns, this.#namespaces.get(netns)?.nftListeners, onChange)
  }

  #listen<T>(netns: Netns, listeners: Set<(event: T) => void> | undefined, onEvent: (event: T) => void): KernelWatch {
    const listener = (event: T): void => queueMicrotask(() => listeners?.has(listener) && onEvent(event))
    listeners?.add(listener)
    const ready = Promise.resolve(netns).then((path) => void this.#find(path))
    ready.catch(() => {})
    return { ready, close: async () => void listeners?.delete(listener) }
  }

  async close(): Promise<void> {}

  #find = (netns: Netns): FakeNamespace => {
    const found = this.#namespaces.get(netns)
    if (found !== undefined) return found
    throw new KernelError(`open the network namespace ${netns}`, 'ENOENT', '', {
      fix: 'The namespace is gone or was never made; in a test: fake.addNetns(path).',
    })
  }

  #failWhenAsked(operation: Operation, netns: Netns): void {
    const failure = this.#failures.find((each) => each.matches(operation, netns))
    if (failure === undefined) return
    this.#failures = this.#failures.filter((each) => each !== failure)
    throw new KernelError(operation.op, failure.code, 'as the test asked')
  }

  #applyOne(target: FakeNamespace, operation: Operation): void {
    const apply = appliers[operation.op] as (netns: FakeNamespace, operation: Operation, find: FindNetns) => void
    apply(target, operation, this.#find)
  }
}

type Applier<Name extends Operation['op']> = (
  netns: FakeNamespace,
  operation: Extract<Operation, { op: Name }>,
  find: FindNetns,
) => void

const appliers: { [Name in Operation['op']]: Applier<Name> } = {
  ensureVeth,
  ensureBridge,
  ensureVxlan,
  ensureIpip,
  setLink,
  deleteLink: (netns, { name }) => deleteLink(netns, name),
  deleteLinkGroup: (netns, { group }) => deleteLinkGroup(netns, group),
  ensureAddress,
  deleteAddress,
  ensureRoute: (netns, { route }) => ensureRoute(netns, route),
  deleteRoute: (netns, { route }) => deleteRoute(netns, route),
  ensureRule: (netns, { rule }) => ensureRule(netns, rule),
  deleteRule: (netns, { rule }) => deleteRule(netns, rule),
  ensureNeighbor: (netns, { neighbor }) => ensureNeighbor(netns, neighbor),
  deleteNeighbor: (netns, { neighbor }) => deleteNeighbor(netns, neighbor),
  ensureFdb: (netns, { entry }) => ensureFdb(netns, entry),
  deleteFdb: (netns, { entry }) => deleteFdb(netns, entry),
  resolveNeighbor: (netns, { device }) => void netns.getLink(device),
  ensureElements: (netns, { sets }) => {
    for (const part of sets.flatMap(({ keys }) => keys.flat())) if ('device' in part) netns.getLink(part.device)
  },
  sysctl: (netns, { key, value, optional }) => {
    if (hasSysctl(netns, key)) setSysctl(netns, key, value)
    else if (optional !== true) throw new KernelError(`sysctl: set ${key} to ${value}`, 'ENOENT')
  },
  checksumOffload: (netns, { device, isOn }) => {
    netns.getLink(device).hasChecksumOffload = isOn
  },
}

/** Settings of a device exist as long as the device does; all others are taken to exist. */
function hasSysctl(netns: FakeNamespace, key: string): boolean {
  const device = /^net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\//.exec(key)?.[1]
  return device === undefined || device === 'all' || device === 'default' || netns.links.has(device)
}

function setSysctl(netns: FakeNamespace, key: string, value: string): void {
  netns.sysctls.set(key, value)
  const [, number, device, name] = /^net\/ipv([46])\/conf\/([^/]+)\/(\w+)$/.exec(key) ?? []
  if (device === undefined) return
  const family = number === '4' ? 4 : 6
  const emit = (values: Partial<DeviceSettings>): void => netns.emit(settings({ family, device, ...values }))
  if (name === 'forwarding') emit({ isForwarding: value !== '0' })
  if (name === 'proxy_arp' || name === 'proxy_ndp') emit({ hasProxyArp: value !== '0' })
  if (name === 'rp_filter') emit({ rpFilter: Number(value) })
}

function settings(object: DeviceSettings): KernelEvent {
  return { kind: 'settings', action: 'new', object }
}

async function refuseSocket(what: string, netns: Netns): Promise<never> {
  throw new KernelError(`${what} in ${netnsName(netns)}`, 'EOPNOTSUPP', 'the fake has no sockets')
}

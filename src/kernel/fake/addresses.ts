import { bigintToAddress, broadcastOf, cidrOf, formatCidr } from '../../base/ip.ts'
import type { Address, Operation, Route } from '../kernel.ts'
import { operationAddress } from '../normalize.ts'
import type { FakeLink, FakeNamespace } from './namespace.ts'

type Ensure<Name extends Operation['op']> = Extract<Operation, { op: Name }>

const KERNEL = 2
const LOCAL_TABLE = 255
const MAIN_TABLE = 254

export function ensureAddress(netns: FakeNamespace, operation: Ensure<'ensureAddress'>): void {
  const link = netns.getLink(operation.device)
  const { family, address, prefixLength } = operationAddress(operation.address)
  const wanted: Address = {
    linkIndex: link.index,
    family,
    address,
    prefixLength,
    ...(operation.broadcast === undefined ? {} : { broadcast: operation.broadcast }),
    scope: operation.scope ?? 0,
  }
  const existing = find(netns, link, address)
  if (existing !== undefined && isSame(existing, wanted)) return
  if (existing !== undefined) drop(netns, existing)
  netns.addresses.push(wanted)
  if (link.isUp) netns.routes.push(...connectedRoutes(wanted, link.name))
  netns.emit({ kind: 'address', action: 'new', object: wanted })
}

export function deleteAddress(netns: FakeNamespace, operation: Ensure<'deleteAddress'>): void {
  const link = netns.links.get(operation.device)
  const { address, prefixLength } = operationAddress(operation.address)
  const existing = link === undefined ? undefined : find(netns, link, address)
  if (existing !== undefined && existing.prefixLength === prefixLength) drop(netns, existing)
}

/** What a device that goes down, or away, takes with it. */
export function dropRoutesOf(netns: FakeNamespace, device: string): void {
  const uses = (route: Route): boolean =>
    route.device === device || (route.nextHops?.some((hop) => hop.device === device) ?? false)
  dropRoutes(netns, uses)
}

/** What comes by itself when a device goes up. */
export function restoreConnected(netns: FakeNamespace, link: FakeLink): void {
  if (link.name === 'lo') addLoopback(netns, link)
  for (const address of netns.addresses.filter((each) => each.linkIndex === link.index)) {
    netns.routes.push(...connectedRoutes(address, link.name))
  }
}

function addLoopback(netns: FakeNamespace, link: FakeLink): void {
  if (find(netns, link, '127.0.0.1') !== undefined) return
  netns.addresses.push({ linkIndex: link.index, family: 4, address: '127.0.0.1', prefixLength: 8, scope: 254 })
  netns.addresses.push({ linkIndex: link.index, family: 6, address: '::1', prefixLength: 128, scope: 254 })
}

function find(netns: FakeNamespace, link: FakeLink, address: string): Address | undefined {
  return netns.addresses.find((each) => each.linkIndex === link.index && each.address === address)
}

function isSame(one: Address, other: Address): boolean {
  return one.prefixLength === other.prefixLength && one.broadcast === other.broadcast && one.scope === other.scope
}

function drop(netns: FakeNamespace, address: Address): void {
  netns.addresses = netns.addresses.filter((each) => each !== address)
  const own = connectedRoutes(address, netns.nameOf(address.linkIndex) ?? '').map((route) => JSON.stringify(route))
  dropRoutes(netns, (route) => own.includes(JSON.stringify(route)) || route.source === address.address)
  netns.emit({ kind: 'address', action: 'delete', object: address })
}

function dropRoutes(netns: FakeNamespace, isGone: (route: Route) => boolean): void {
  const gone = netns.routes.filter(isGone)
  netns.routes = netns.routes.filter((route) => !gone.includes(route))
  for (const route of gone) netns.emit({ kind: 'route', action: 'delete', object: route })
}

function connectedRoutes(address: Address, device: string): Route[] {
  return address.family === 4 ? connectedV4(address, device) : connectedV6(address, device)
}

function connectedV4({ address, prefixLength, scope }: Address, device: string): Route[] {
  const subnet = cidrOf(address, prefixLength)
  const common = { family: 4, protocol: KERNEL, source: address, device } as const
  const local: Route = { ...common, destination: `${address}/32`, table: LOCAL_TABLE, scope: 254, type: 'local' }
  if (prefixLength === 32 || scope === 254) return [local]
  const broadcast = broadcastOf(subnet)
  return [
    local,
    { ...common, destination: formatCidr(subnet), table: MAIN_TABLE, scope: 253, type: 'unicast' },
    ...(broadcast === undefined
      ? []
      : [{ ...common, destination: `${broadcast}/32`, table: LOCAL_TABLE, scope: 253, type: 'broadcast' } as const]),
  ]
}

function connectedV6({ address, prefixLength, scope }: Address, device: string): Route[] {
  const common = { family: 6, protocol: KERNEL, scope: 0, device } as const
  const local: Route = { ...common, destination: `${address}/128`, table: LOCAL_TABLE, type: 'local' }
  if (scope === 254) return [local]
  const network = bigintToAddress(cidrOf(address, prefixLength).first, 6)
  return [
    local,
    { ...common, destination: `${network}/${prefixLength}`, table: MAIN_TABLE, type: 'unicast', metric: 256 },
  ]
}

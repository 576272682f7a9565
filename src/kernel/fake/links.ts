import { KernelError } from '../errors.ts'
import type { Netns, Operation } from '../kernel.ts'
import { dropRoutesOf, restoreConnected } from './addresses.ts'
import { type FakeLink, type FakeNamespace, reportLink } from './namespace.ts'

type Ensure<Name extends Operation['op']> = Extract<Operation, { op: Name }>
export type FindNetns = (path: Netns) => FakeNamespace

export function ensureVeth(netns: FakeNamespace, operation: Ensure<'ensureVeth'>, find: FindNetns): void {
  const other = find(operation.peer.netns)
  const existing = netns.links.get(operation.name)
  if (existing !== undefined) refuseKind(existing, 'veth')
  const isRight = existing?.peer?.netns === other && existing.peer.link.name === operation.peer.name
  if (existing !== undefined && !isRight) deleteLink(netns, operation.name)
  const link = isRight ? existing : createPair(netns, { name: operation.name, other, peerName: operation.peer.name })
  changeLink(netns, link, operation)
  if (link.peer !== undefined)
    changeLink(other, link.peer.link, { mac: operation.peer.mac, mtuBytes: operation.peer.mtuBytes })
}

export function ensureBridge(netns: FakeNamespace, operation: Ensure<'ensureBridge'>): void {
  const existing = netns.links.get(operation.name)
  if (existing !== undefined) refuseKind(existing, 'bridge')
  changeLink(netns, existing ?? netns.addLink({ name: operation.name, kind: 'bridge' }), operation)
}

export function ensureVxlan(netns: FakeNamespace, operation: Ensure<'ensureVxlan'>): void {
  const { name, id, port, local } = operation
  const vxlan = `${id} ${port} ${local}`
  const existing = netns.links.get(name)
  if (existing !== undefined) refuseKind(existing, 'vxlan')
  const isTaken = [...netns.links.values()].some((link) => link.name !== name && sameVni(link.vxlan, vxlan))
  if (isTaken) throw new KernelError(`create ${name}`, 'EEXIST', `another device has VNI ${id} on port ${port}`)
  const isRight = existing?.vxlan === vxlan
  if (existing !== undefined && !isRight) deleteLink(netns, name)
  changeLink(netns, isRight ? existing : netns.addLink({ name, kind: 'vxlan', vxlan }), operation)
}

function sameVni(one: string | undefined, other: string): boolean {
  return one?.split(' ').slice(0, 2).join(' ') === other.split(' ').slice(0, 2).join(' ')
}

/** As a kernel that has no such devices. */
export function ensureIpip(netns: FakeNamespace, operation: Ensure<'ensureIpip'>): void {
  const existing = netns.links.get(operation.name)
  if (existing === undefined) throw new KernelError(`create ${operation.name}`, 'EOPNOTSUPP', 'Unknown device type')
  refuseKind(existing, 'ipip')
  changeLink(netns, existing, operation)
}

export function setLink(netns: FakeNamespace, operation: Ensure<'setLink'>, find: FindNetns): void {
  const link = netns.getLink(operation.name)
  const target = operation.moveTo === undefined ? netns : find(operation.moveTo)
  const name = operation.newName ?? link.name
  if (target.links.has(name) && target.links.get(name) !== link)
    throw new KernelError('setLink', 'EEXIST', `${name} is taken`)
  if (operation.master !== undefined) {
    link.masterIndex = operation.master === null ? undefined : netns.getLink(operation.master).index
  }
  if (target !== netns) move(netns, link, target)
  rename(target, link, name)
  changeLink(target, link, operation)
}

export function deleteLink(netns: FakeNamespace, name: string): void {
  const link = netns.links.get(name)
  if (link === undefined) return
  remove(netns, link)
  if (link.peer !== undefined) remove(link.peer.netns, link.peer.link)
}

export function deleteLinkGroup(netns: FakeNamespace, group: number): void {
  if (!(group > 0)) throw new KernelError('deleteLinkGroup', 'EINVAL', 'group 0 holds the links of everybody')
  for (const link of [...netns.links.values()]) if (link.group === group) deleteLink(netns, link.name)
}

function createPair(netns: FakeNamespace, options: { name: string; other: FakeNamespace; peerName: string }): FakeLink {
  const { name, other, peerName } = options
  if (other.links.has(peerName)) {
    throw new KernelError(`create ${name}`, 'EEXIST', `the name ${peerName} is taken in the peer's namespace`)
  }
  const link = netns.addLink({ name, kind: 'veth' })
  const peer = other.addLink({ name: peerName, kind: 'veth', peer: { netns, link } })
  link.peer = { netns: other, link: peer }
  return link
}

interface Change {
  readonly mac?: string | undefined
  readonly mtuBytes?: number | undefined
  readonly isUp?: boolean | undefined
  readonly group?: number | undefined
  readonly alias?: string | undefined
}

function changeLink(netns: FakeNamespace, link: FakeLink, change: Change): void {
  const wasUp = link.isUp
  link.mac = change.mac?.toLowerCase() ?? link.mac
  link.mtuBytes = change.mtuBytes ?? link.mtuBytes
  link.isUp = change.isUp ?? link.isUp
  link.group = change.group ?? link.group
  link.alias = change.alias ?? link.alias
  if (wasUp && !link.isUp) dropRoutesOf(netns, link.name)
  if (!wasUp && link.isUp) restoreConnected(netns, link)
  netns.emit({ kind: 'link', action: 'new', object: reportLink(link) })
}

function rename(netns: FakeNamespace, link: FakeLink, name: string): void {
  if (name === link.name) return
  netns.links.delete(link.name)
  netns.routes = netns.routes.map((route) => (route.device === link.name ? { ...route, device: name } : route))
  netns.neighbors = netns.neighbors.map((each) => (each.device === link.name ? { ...each, device: name } : each))
  link.name = name
  netns.links.set(name, link)
}

/** A link that changes its namespace arrives bare: down, without addresses and routes. */
function move(netns: FakeNamespace, link: FakeLink, target: FakeNamespace): void {
  remove(netns, link)
  link.isUp = false
  link.masterIndex = undefined
  target.adoptLink(link)
  if (link.peer !== undefined) link.peer.link.peer = { netns: target, link }
}

function remove(netns: FakeNamespace, link: FakeLink): void {
  dropRoutesOf(netns, link.name)
  netns.addresses = netns.addresses.filter((address) => address.linkIndex !== link.index)
  netns.neighbors = netns.neighbors.filter((neighbor) => neighbor.device !== link.name)
  netns.fdb = netns.fdb.filter((entry) => entry.device !== link.name)
  netns.links.delete(link.name)
  netns.emit({ kind: 'link', action: 'delete', object: reportLink(link) })
}

function refuseKind(link: FakeLink, kind: string): void {
  if (link.kind === kind) return
  const actual = link.kind ?? 'physical device'
  throw new KernelError(`create ${link.name}`, 'EEXIST', `${link.name} is a ${actual}, not a ${kind}`)
}

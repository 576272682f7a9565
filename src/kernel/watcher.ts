import { closeSync } from 'node:fs'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { KernelEvent, KernelObjects, NftChange, WatchFilter } from './kernel.ts'
import { CLOEXEC, check, libc, NONBLOCK } from './libc.ts'
import { decodeAddress } from './netlink/address.ts'
import { AF_UNSPEC, RTM } from './netlink/constants.ts'
import { decodeLink, linkFamily, linkIndex, linkName } from './netlink/link.ts'
import type { Message } from './netlink/message.ts'
import { decodeFdb, decodeNeighbor } from './netlink/neighbor.ts'
import { decodeNetconf } from './netlink/netconf.ts'
import { decodeNftChange } from './netlink/nft-event.ts'
import { decodeRoute } from './netlink/route.ts'
import { decodeRule } from './netlink/rule.ts'
import { receiveWatched } from './netlink/socket.ts'
import type { WatchCommand, WatchReport, WatchSource } from './protocol.ts'
import { linkOf } from './read.ts'
import { concerns, isWatched } from './watch-filter.ts'

/** A thread that sits in poll() cannot be ended from outside; this is how long the process may have to wait for it. */
const POLL_TIMEOUT_MS = 200
const POLLIN = 1
const POLLFD_BYTES = 8
const RECEIVE_BYTES = 64 * 1024

interface Watched extends Pick<WatchSource, 'fd' | 'filter' | 'subject'> {
  readonly id: number
  /** Names by index; those of deleted devices stay, because their routes are reported deleted after them. */
  readonly names: Map<number, string>
}

/**
 * Waits on all watch sockets at once and reports what they say. The loop never returns to Node's own: commands are
 * read from the port synchronously, and an eventfd ends the wait when one was sent.
 */
export function runWatcher(port: MessagePort): void {
  const wakeFd = check('eventfd', libc().eventfd(0, CLOEXEC | NONBLOCK))
  const watched = new Map<number, Watched>()
  const buffer = Buffer.allocUnsafe(RECEIVE_BYTES)
  const say = (report: WatchReport): void => port.postMessage(report)
  say({ kind: 'started', wakeFd })
  while (obey(port, { watched, say })) {
    const readable = pollReadable([wakeFd, ...[...watched.values()].map((each) => each.fd)])
    if (readable.has(wakeFd)) drain(wakeFd)
    for (const each of watched.values()) if (readable.has(each.fd)) report(each, { buffer, say })
  }
  closeSync(wakeFd)
  port.close()
}

/** Carries out the commands that wait; false when the last one was to stop. */
function obey(
  port: MessagePort,
  state: { watched: Map<number, Watched>; say: (report: WatchReport) => void },
): boolean {
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
    const command = next.message as WatchCommand
    if (command.kind === 'add') {
      state.watched.set(command.id, { ...command, names: new Map(command.names) })
    } else if (command.kind === 'remove') {
      forget(state.watched, command.id)
      state.say({ kind: 'removed', id: command.id })
    } else {
      for (const id of [...state.watched.keys()]) forget(state.watched, id)
      return false
    }
  }
  return true
}

function forget(watched: Map<number, Watched>, id: number): void {
  const found = watched.get(id)
  if (found !== undefined) closeSync(found.fd)
  watched.delete(id)
}

function pollReadable(fds: readonly number[]): Set<number> {
  const list = Buffer.alloc(fds.length * POLLFD_BYTES)
  for (const [at, fd] of fds.entries()) {
    list.writeInt32LE(fd, at * POLLFD_BYTES)
    list.writeInt16LE(POLLIN, at * POLLFD_BYTES + 4)
  }
  libc().poll(list, fds.length, POLL_TIMEOUT_MS)
  return new Set(fds.filter((_, at) => list.readInt16LE(at * POLLFD_BYTES + 6) !== 0))
}

function drain(fd: number): void {
  libc().read(fd, Buffer.alloc(8), 8)
}

function report(watched: Watched, tools: { buffer: Buffer; say: (report: WatchReport) => void }): void {
  const messages = receiveWatched(watched.fd, tools.buffer)
  if (messages === 'overrun') {
    tools.say({ kind: 'overrun', id: watched.id })
    return
  }
  try {
    const events = watched.subject === 'nftables' ? nftChanges(messages) : kernelEvents(messages, watched)
    if (events.length > 0) tools.say({ kind: 'events', id: watched.id, events })
  } catch {
    // A message that cannot be read is as good as lost.
    tools.say({ kind: 'overrun', id: watched.id })
  }
}

function kernelEvents(messages: readonly Message[], { names, filter }: Watched): KernelEvent[] {
  return messages
    .filter((message) => filter === undefined || mayConcern(message, filter, names))
    .map((message) => decodeEvent(message, names))
    .filter((event) => event !== undefined)
    .filter((event) => filter === undefined || concerns(event, filter, names))
}

/**
 * A cheap look before a message is read in full: on a busy node most are about devices that nobody asked for, and one
 * about a link is a kilobyte and more.
 */
function mayConcern({ type, body }: Message, filter: WatchFilter, names: Map<number, string>): boolean {
  if (type !== RTM.NEWLINK && type !== RTM.DELLINK) return true
  const name = linkName(body)
  if (name === undefined || linkFamily(body) !== AF_UNSPEC) return true
  names.set(linkIndex(body), name)
  return filter.kinds?.includes('link') !== false && isWatched(name, filter)
}

/** One for each table: a transaction may have thousands of messages. */
function nftChanges(messages: readonly Message[]): NftChange[] {
  const changes = messages.map(decodeNftChange).filter((change) => change !== undefined)
  return [...new Map(changes.map((change) => [`${change.family} ${change.table}`, change])).values()]
}

/** The change that a message reports; undefined for what is none of ours. Learns device names by the way. */
export function decodeEvent(message: Message, names: Map<number, string>): KernelEvent | undefined {
  const nameOf = (index: number): string | undefined => names.get(index)
  const { body } = message
  switch (message.type) {
    case RTM.NEWLINK:
    case RTM.DELLINK:
      return linkEvent(message, names)
    case RTM.NEWADDR:
    case RTM.DELADDR:
      return eventOf('address', message.type === RTM.NEWADDR, decodeAddress(body))
    case RTM.NEWROUTE:
    case RTM.DELROUTE:
      return eventOf('route', message.type === RTM.NEWROUTE, decodeRoute(body, nameOf))
    case RTM.NEWRULE:
    case RTM.DELRULE:
      return eventOf('rule', message.type === RTM.NEWRULE, decodeRule(body))
    case RTM.NEWNEIGH:
    case RTM.DELNEIGH:
      return (
        eventOf('neighbor', message.type === RTM.NEWNEIGH, decodeNeighbor(body, nameOf)) ??
        eventOf('fdb', message.type === RTM.NEWNEIGH, decodeFdb(body, nameOf))
      )
    case RTM.NEWNETCONF:
      return eventOf('settings', true, decodeNetconf(body, nameOf))
    default:
      return undefined
  }
}

/** Bridges report their ports in link messages of another family. */
function linkEvent(message: Message, names: Map<number, string>): KernelEvent | undefined {
  if (linkFamily(message.body) !== AF_UNSPEC) return undefined
  const link = linkOf(decodeLink(message.body))
  names.set(link.index, link.name)
  return eventOf('link', message.type === RTM.NEWLINK, link)
}

function eventOf<Kind extends keyof KernelObjects>(
  kind: Kind,
  isNew: boolean,
  object: KernelObjects[Kind] | undefined,
): KernelEvent | undefined {
  if (object === undefined) return undefined
  return { kind, action: isNew ? 'new' : 'delete', object } as KernelEvent
}

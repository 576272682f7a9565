import { KernelError } from './errors.ts'
import type { Operation } from './kernel.ts'
import { isCurrentNetns, withNetns, withNetnsFile } from './namespace.ts'
import { NLM_F_CREATE, NLM_F_EXCL, RTM } from './netlink/constants.ts'
import {
  decodeNsid,
  encodeGroupDeletion,
  encodeLink,
  encodeLinkQuery,
  encodeNsidQuery,
  kindInfo,
  type LinkReport,
  type LinkSettings,
  vethInfo,
} from './netlink/link.ts'
import type { Attribute } from './netlink/message.ts'
import { type Session, withSession } from './session.ts'
import { ignoreKernelCodes, tolerate } from './tolerate.ts'

type Ensure<Name extends Operation['op']> = Extract<Operation, { op: Name }>
type NewLink = Ensure<'ensureVeth' | 'ensureBridge' | 'ensureVxlan' | 'ensureIpip'>

/**
 * The kernel makes a queue for each processor, uses one of them, and waits for all processors (RCU) when it puts the
 * others aside: 1.5 ms, eight times the rest. One was all that a veth ever used.
 */
const vethQueues = 1

export function ensureVeth(session: Session, operation: Ensure<'ensureVeth'>): void {
  withNetnsFile(operation.peer.netns, (peerFd) => {
    const { peer } = operation
    // The kernel refuses to create a peer that is up (ENOTCONN); whoever owns its namespace sets it up.
    const { name, mac, mtuBytes } = peer
    const info = vethInfo({ name, mac, mtuBytes, netnsFd: peerFd, queues: vethQueues })
    if (createLink(session, operation, info, vethQueues)) return
    const existing = existingLink(
      session,
      operation.name,
      'veth',
      `the name ${peer.name} is taken in the peer's namespace`,
    )
    if (hasPeer(session, existing, { peer, peerFd })) {
      updateLink(session, existing, settingsOf(operation))
      updatePeer(peer)
      return
    }
    deleteLink(session, operation.name)
    if (!createLink(session, operation, info, vethQueues))
      existingLink(session, peer.name, 'veth', 'created by somebody else meanwhile')
  })
}

export function ensureBridge(session: Session, operation: Ensure<'ensureBridge'>): void {
  if (createLink(session, operation, kindInfo('bridge'))) return
  updateLink(session, existingLink(session, operation.name, 'bridge', ''), settingsOf(operation))
}

/** Changes a link; with `moveTo` the new name and the state are those in the other namespace. */
export function setLink(session: Session, operation: Ensure<'setLink'>): void {
  if (operation.newName === undefined && operation.moveTo === undefined) changeInPlace(session, operation)
  else renameOrMove(session, operation)
}

/** The kernel finds the link by its name. */
function changeInPlace(session: Session, operation: Ensure<'setLink'>): void {
  const settings = { ...settingsOf(operation), ...masterOf(session, operation), name: operation.name }
  session.socket.change('setLink', { type: RTM.SETLINK, body: encodeLink(settings) })
}

function renameOrMove(session: Session, operation: Ensure<'setLink'>): void {
  const { index, isUp } = session.getLink(operation.name)
  const settings: LinkSettings = { ...settingsOf(operation), name: operation.newName, ...masterOf(session, operation) }
  const change = (values: LinkSettings): void =>
    session.socket.change('setLink', { type: RTM.SETLINK, body: encodeLink(values, { index }) })
  if (operation.moveTo === undefined) renameSafely(change, settings, isUp)
  else withNetnsFile(operation.moveTo, (netnsFd) => change({ ...settings, netnsFd }))
  session.forgetNames()
}

export function deleteLink(session: Session, name: string): void {
  tolerate(['ENODEV'], () => session.socket.change('deleteLink', { type: RTM.DELLINK, body: encodeLinkQuery(name) }))
  session.forgetNames()
}

/** Group 0 is refused: every link that nobody grouped is in it. */
export function deleteLinkGroup(session: Session, group: number): void {
  if (!(group > 0)) throw new KernelError('deleteLinkGroup', 'EINVAL', 'group 0 holds the links of everybody')
  tolerate(['ENODEV'], () =>
    session.socket.change('deleteLinkGroup', { type: RTM.DELLINK, body: encodeGroupDeletion(group) }),
  )
  session.forgetNames()
}

/** Creates a link; false when one of this name, or of its peer's, exists. */
export function createLink(session: Session, operation: NewLink, info: Attribute[], queues?: number): boolean {
  const { alias, ...settings } = settingsOf(operation)
  const isCreated = tolerate(['EEXIST'], () =>
    session.socket.change('create', {
      type: RTM.NEWLINK,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: encodeLink({ ...settings, name: operation.name, queues }, { info }),
    }),
  )
  if (!isCreated) return false
  session.forgetNames()
  // The kernel ignores an alias in the message that creates a link.
  if (alias !== undefined) updateLink(session, session.getLink(operation.name), { alias })
  return true
}

/** Throws KernelError EEXIST when there is none, or one of another kind. */
export function existingLink(session: Session, name: string, kind: string, absent: string): LinkReport {
  const existing = session.findLink(name)
  if (existing === undefined) throw new KernelError(`create ${name}`, 'EEXIST', absent)
  if (existing.kind !== kind) {
    throw new KernelError(
      `create ${name}`,
      'EEXIST',
      `${name} is a ${existing.kind ?? 'physical device'}, not a ${kind}`,
    )
  }
  return existing
}

/** Whether a veth's other end is the wanted one: indexes alone could agree by chance between two namespaces. */
function hasPeer(
  session: Session,
  link: LinkReport,
  options: { peer: { name: string; netns: string | undefined }; peerFd: number },
): boolean {
  const { peer, peerFd } = options
  const isHere = isCurrentNetns(peerFd)
  if (isHere !== (link.linkNetnsId === undefined)) return false
  if (!isHere && netnsId(session, peerFd) !== link.linkNetnsId) return false
  const found = inPeer(peer.netns, (other) => other.findLink(peer.name))
  return found?.kind === 'veth' && found.index === link.linkIndex && found.linkIndex === link.index
}

function netnsId(session: Session, netnsFd: number): number {
  return decodeNsid(session.socket.get('number a namespace', { type: RTM.GETNSID, body: encodeNsidQuery(netnsFd) }))
}

function updatePeer(peer: Ensure<'ensureVeth'>['peer']): void {
  inPeer(peer.netns, (other) => updateLink(other, other.getLink(peer.name), { mac: peer.mac, mtuBytes: peer.mtuBytes }))
}

function inPeer<T>(netns: string | undefined, work: (session: Session) => T): T {
  return withNetns(netns, () => withSession(work))
}

/** Sends only what differs; nothing when nothing does. */
export function updateLink(session: Session, link: LinkReport, wanted: LinkSettings): void {
  const keep = <T>(value: T | undefined, actual: T | undefined): T | undefined => (value === actual ? undefined : value)
  const change: LinkSettings = {
    mac: keep(wanted.mac?.toLowerCase(), link.mac),
    mtuBytes: keep(wanted.mtuBytes, link.mtuBytes),
    isUp: keep(wanted.isUp, link.isUp),
    group: keep(wanted.group, link.group),
    alias: keep(wanted.alias, link.alias ?? ''),
  }
  if (Object.values(change).every((value) => value === undefined)) return
  session.socket.change(`change ${link.name}`, { type: RTM.SETLINK, body: encodeLink(change, { index: link.index }) })
}

export function settingsOf(operation: NewLink | Ensure<'setLink'>): LinkSettings {
  const grouped = 'group' in operation ? operation.group : undefined
  const alias = 'alias' in operation ? operation.alias : undefined
  const mac = 'mac' in operation ? operation.mac : undefined
  return { mac, mtuBytes: operation.mtuBytes, isUp: operation.isUp, group: grouped, alias }
}

function masterOf(session: Session, operation: Ensure<'setLink'>): LinkSettings {
  if (operation.master === undefined) return {}
  return { masterIndex: operation.master === null ? 0 : session.indexOf(operation.master) }
}

/** Kernels before 6.2 do not rename a device that is up. */
function renameSafely(change: (values: LinkSettings) => void, settings: LinkSettings, isUp: boolean): void {
  try {
    change(settings)
  } catch (error) {
    if (settings.name === undefined || !isUp) throw error
    ignoreKernelCodes(error, 'EBUSY')
    change({ isUp: false })
    change({ ...settings, isUp: settings.isUp ?? true })
  }
}

import type { Operation } from './kernel.ts'
import { createLink, deleteLink, existingLink, settingsOf, updateLink } from './links.ts'
import { RTM } from './netlink/constants.ts'
import { encodeLinkQuery, kindInfo } from './netlink/link.ts'
import { decodeVxlan, type VxlanIdentity, vxlanInfo } from './netlink/vxlan.ts'
import type { Session } from './session.ts'

type Ensure<Name extends Operation['op']> = Extract<Operation, { op: Name }>

/** A device that differs in what cannot be changed is made anew; its entries and routes go with it. */
export function ensureVxlan(session: Session, operation: Ensure<'ensureVxlan'>): void {
  const { name, id, port, local } = operation
  const identity: VxlanIdentity = { id, port, local, isLearning: false }
  const create = (): boolean => createLink(session, operation, vxlanInfo(identity))
  if (create()) return
  const existing = existingLink(session, name, 'vxlan', `another device has VNI ${id} on port ${port}`)
  if (isSame(readVxlan(session, name), identity)) {
    updateLink(session, existing, settingsOf(operation))
    return
  }
  deleteLink(session, name)
  if (!create()) existingLink(session, name, 'vxlan', `another device has VNI ${id} on port ${port}`)
}

/** `tunl0` comes with the kernel's module, which the attempt to make a device of its kind loads. */
export function ensureIpip(session: Session, operation: Ensure<'ensureIpip'>): void {
  if (session.findLink(operation.name) === undefined && createLink(session, operation, kindInfo('ipip'))) return
  session.forgetNames()
  updateLink(
    session,
    existingLink(session, operation.name, 'ipip', 'the kernel did not make it'),
    settingsOf(operation),
  )
}

function readVxlan(session: Session, name: string): VxlanIdentity | undefined {
  return decodeVxlan(session.socket.get(`find ${name}`, { type: RTM.GETLINK, body: encodeLinkQuery(name) }))
}

function isSame(one: VxlanIdentity | undefined, other: VxlanIdentity): boolean {
  return (
    one?.id === other.id && one.port === other.port && one.local === other.local && one.isLearning === other.isLearning
  )
}

import { describeError } from '../base/errors.ts'
import { type InterfaceAddress, parseAddress, parseInterfaceAddress } from '../base/ip.ts'
import { describeOperation } from './describe.ts'
import { KernelError } from './errors.ts'
import type { Neighbor, Netns, Operation, Route, Rule } from './kernel.ts'
import { deleteLink, deleteLinkGroup, ensureBridge, ensureVeth, setLink } from './links.ts'
import { netnsName } from './namespace.ts'
import { encodeAddress } from './netlink/address.ts'
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RTM } from './netlink/constants.ts'
import { encodeNeighbor } from './netlink/neighbor.ts'
import { encodeRoute, encodeRouteDeletion } from './netlink/route.ts'
import { canonicalPrefix, encodeRule } from './netlink/rule.ts'
import { setChecksumOffload } from './offload.ts'
import { readAddresses, readRules } from './read.ts'
import type { Session } from './session.ts'
import { writeSysctl } from './sysctl.ts'
import { tolerate } from './tolerate.ts'

type Ensure<Name extends Operation['op']> = Extract<Operation, { op: Name }>

/** Applies the operations in order to the thread's namespace; stops at the first failure with an error that names it. */
export function applyAll(session: Session, netns: Netns, operations: readonly Operation[]): void {
  for (const operation of operations) {
    try {
      applyOne(session, operation)
    } catch (error) {
      throw operationError(error, operation, netns)
    }
  }
}

const appliers: { [Name in Operation['op']]: (session: Session, operation: Ensure<Name>) => void } = {
  ensureVeth,
  ensureBridge,
  setLink,
  deleteLink: (session, { name }) => deleteLink(session, name),
  deleteLinkGroup: (session, { group }) => deleteLinkGroup(session, group),
  ensureAddress,
  deleteAddress: (session, { device, address }) => deleteAddress(session, device, interfaceAddress(address)),
  ensureRoute: (session, { route }) => ensureRoute(session, route),
  deleteRoute: (session, { route }) => deleteRoute(session, route),
  ensureRule: (session, { rule }) => ensureRule(session, rule),
  deleteRule: (session, { rule }) => deleteRule(session, rule),
  ensureNeighbor: (session, { neighbor }) => ensureNeighbor(session, neighbor),
  deleteNeighbor: (session, { neighbor }) => deleteNeighbor(session, neighbor),
  sysctl: (_, { key, value, optional }) => writeSysctl(key, value, optional === true),
  checksumOffload: (_, { device, isOn }) => setChecksumOffload(device, isOn),
}

function applyOne(session: Session, operation: Operation): void {
  const apply = appliers[operation.op] as (session: Session, operation: Operation) => void
  apply(session, operation)
}

/** An equal address stays as it is: taking it away for a moment would take its routes away for good. */
function ensureAddress(session: Session, operation: Ensure<'ensureAddress'>): void {
  const address = interfaceAddress(operation.address)
  const index = session.indexOf(operation.device)
  const { broadcast, scope } = operation
  const add = (): void =>
    session.socket.change('add', {
      type: RTM.NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: encodeAddress({ index, address, broadcast, scope }),
    })
  if (tolerate(['EEXIST'], add)) return
  const existing = readAddresses(session, operation.device).find((each) => each.address === address.address)
  const isEqual =
    existing?.prefixLength === address.prefixLength &&
    (address.family === 6 || (existing.broadcast === broadcast && existing.scope === (scope ?? 0)))
  if (isEqual) return
  deleteAddress(session, operation.device, { ...address, prefixLength: existing?.prefixLength ?? address.prefixLength })
  add()
}

function deleteAddress(session: Session, device: string, address: InterfaceAddress): void {
  tolerate(['ENODEV', 'EADDRNOTAVAIL'], () => {
    const index = session.indexOf(device)
    session.socket.change('delete', { type: RTM.DELADDR, body: encodeAddress({ index, address }) })
  })
}

/** Replaces whatever route the table has for the same destination and metric. */
function ensureRoute(session: Session, route: Route): void {
  session.socket.change('ensureRoute', {
    type: RTM.NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeRoute(route, session.indexOf),
  })
}

function deleteRoute(session: Session, route: Route): void {
  tolerate(['ESRCH', 'ENOENT', 'ENODEV'], () =>
    session.socket.change('deleteRoute', {
      type: RTM.DELROUTE,
      body: encodeRouteDeletion(route, session.indexOf),
    }),
  )
}

function ensureRule(session: Session, rule: Rule): void {
  tolerate(['EEXIST'], () =>
    session.socket.change('ensureRule', {
      type: RTM.NEWRULE,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: encodeRule(rule),
    }),
  )
}

/** Looks first: for the kernel a condition that a deletion does not name matches every rule. */
function deleteRule(session: Session, rule: Rule): void {
  if (!readRules(session, rule.family).some((each) => isSameRule(each, rule))) return
  tolerate(['ENOENT', 'ESRCH'], () =>
    session.socket.change('deleteRule', { type: RTM.DELRULE, body: encodeRule(rule) }),
  )
}

function isSameRule(one: Rule, other: Rule): boolean {
  return (
    one.priority === other.priority &&
    one.table === other.table &&
    canonicalPrefix(one.from) === canonicalPrefix(other.from) &&
    canonicalPrefix(one.to) === canonicalPrefix(other.to) &&
    one.inputDevice === other.inputDevice &&
    (one.mark ?? 0) === (other.mark ?? 0) &&
    one.suppressPrefixLength === other.suppressPrefixLength &&
    (other.protocol === undefined || one.protocol === other.protocol)
  )
}

function ensureNeighbor(session: Session, neighbor: Neighbor): void {
  session.socket.change('ensureNeighbor', {
    type: RTM.NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeNeighbor(neighbor, session.indexOf(neighbor.device)),
  })
}

function deleteNeighbor(session: Session, neighbor: Neighbor): void {
  tolerate(['ENOENT', 'ENODEV', 'ESRCH'], () =>
    session.socket.change('deleteNeighbor', {
      type: RTM.DELNEIGH,
      body: encodeNeighbor(neighbor, session.indexOf(neighbor.device)),
    }),
  )
}

/** An address without a length is a host's. */
function interfaceAddress(text: string): InterfaceAddress {
  if (text.includes('/')) return parseInterfaceAddress(text)
  const { family, address } = parseAddress(text)
  return { family, address, prefixLength: family === 4 ? 32 : 128 }
}

function operationError(error: unknown, operation: Operation, netns: Netns): KernelError {
  const what = `${describeOperation(operation)} in ${netnsName(netns)}`
  if (!(error instanceof KernelError)) return new KernelError(what, 'EINVAL', describeError(error), { cause: error })
  return new KernelError(what, error.code, error.text, {
    cause: error,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  })
}

import type { InterfaceAddress } from '../base/ip.ts'
import type { FdbEntry, Neighbor, Netns, Operation, Route, Rule } from './kernel.ts'
import { deleteLink, deleteLinkGroup, ensureBridge, ensureVeth, setLink } from './links.ts'
import { encodeAddress } from './netlink/address.ts'
import { NFT_MSG_NEWSETELEM, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RTM } from './netlink/constants.ts'
import { encodeFdb, encodeNeighbor, encodeNeighborUse } from './netlink/neighbor.ts'
import { encodeElements } from './netlink/nft-elements.ts'
import { encodeRoute, encodeRouteDeletion } from './netlink/route.ts'
import { encodeRule } from './netlink/rule.ts'
import { isSameRule, operationAddress } from './normalize.ts'
import { setChecksumOffload } from './offload.ts'
import { operationError } from './operation-error.ts'
import { readAddresses, readRules } from './read.ts'
import type { Session } from './session.ts'
import { writeSysctl } from './sysctl.ts'
import { tolerate } from './tolerate.ts'
import { ensureIpip, ensureVxlan } from './tunnels.ts'

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
  ensureVxlan,
  ensureIpip,
  setLink,
  deleteLink: (session, { name }) => deleteLink(session, name),
  deleteLinkGroup: (session, { group }) => deleteLinkGroup(session, group),
  ensureAddress,
  deleteAddress: (session, { device, address }) => deleteAddress(session, device, operationAddress(address)),
  ensureRoute: (session, { route }) => ensureRoute(session, route),
  deleteRoute: (session, { route }) => deleteRoute(session, route),
  ensureRule: (session, { rule }) => ensureRule(session, rule),
  deleteRule: (session, { rule }) => deleteRule(session, rule),
  ensureNeighbor: (session, { neighbor }) => ensureNeighbor(session, neighbor),
  deleteNeighbor: (session, { neighbor }) => deleteNeighbor(session, neighbor),
  ensureFdb: (session, { entry }) => ensureFdb(session, entry),
  deleteFdb: (session, { entry }) => deleteFdb(session, entry),
  resolveNeighbor,
  ensureElements,
  sysctl: (_, { key, value, optional }) => writeSysctl(key, value, optional === true),
  checksumOffload: (_, { device, isOn }) => setChecksumOffload(device, isOn),
}

function applyOne(session: Session, operation: Operation): void {
  const apply = appliers[operation.op] as (session: Session, operation: Operation) => void
  apply(session, operation)
}

/** An equal address stays as it is: taking it away for a moment would take its routes away for good. */
function ensureAddress(session: Session, operation: Ensure<'ensureAddress'>): void {
  const address = operationAddress(operation.address)
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

function ensureNeighbor(session: Session, neighbor: Neighbor): void {
  session.socket.change('ensureNeighbor', {
    type: RTM.NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeNeighbor(neighbor, session.indexOf(neighbor.device)),
  })
}

function ensureElements(session: Session, { sets }: Ensure<'ensureElements'>): void {
  session.netfilter.transact(
    'ensureElements',
    sets.map((elements) => ({
      type: NFT_MSG_NEWSETELEM,
      flags: NLM_F_CREATE,
      body: encodeElements(elements, session.indexOf),
    })),
  )
}

function resolveNeighbor(session: Session, { device, address }: Ensure<'resolveNeighbor'>): void {
  session.socket.change('resolveNeighbor', {
    type: RTM.NEWNEIGH,
    flags: NLM_F_CREATE,
    body: encodeNeighborUse(address, session.indexOf(device)),
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

function ensureFdb(session: Session, entry: FdbEntry): void {
  session.socket.change('ensureFdb', {
    type: RTM.NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeFdb(entry, session.indexOf(entry.device)),
  })
}

function deleteFdb(session: Session, entry: FdbEntry): void {
  tolerate(['ENOENT', 'ENODEV'], () =>
    session.socket.change('deleteFdb', {
      type: RTM.DELNEIGH,
      body: encodeFdb(entry, session.indexOf(entry.device)),
    }),
  )
}

import { familyOf } from '../../../../base/ip.ts'
import type { Address, Link, Operation, Route } from '../../../../kernel/kernel.ts'
import { isSameRoute } from '../../../../kernel/normalize.ts'
import { hostMac, type LinkOwner, podGateways } from '../names.ts'
import { hostReach, hostRoute, hostSettings } from '../wiring.ts'

/** A host end of a pod's interface as the kernel has it. */
export interface HostState {
  readonly link: Link
  /** Main table, of the device. */
  readonly routes: readonly Route[]
  readonly addresses: readonly Address[]
  /** By sysctl key; undefined: the kernel has no such setting. */
  readonly settings: ReadonlyMap<string, string | undefined>
}

/** Something that is not as it was made, and what makes it so again. */
export interface HostProblem {
  readonly what: string
  readonly operations: readonly Operation[]
}

type Sysctl = Extract<Operation, { op: 'sysctl' }>

/** Protocol of routes that the kernel makes by itself. */
const kernelProtocol = 2

/** The settings that a host end has to have. */
export function settingsOf(name: string, owner: LinkOwner): Sysctl[] {
  return hostSettings(name, owner.addresses.map(familyOf)).filter((operation) => operation.op === 'sysctl')
}

/** What is wrong with a host end, in the order in which it must be put right. */
export function hostProblems(owner: LinkOwner, state: HostState): HostProblem[] {
  const { link } = state
  const problems: HostProblem[] = [...wrongSettings(owner, state)]
  if (link.mac !== hostMac) {
    problems.push({ what: `MAC address ${link.mac}`, operations: [{ op: 'setLink', name: link.name, mac: hostMac }] })
  }
  if (!link.isUp) problems.push({ what: 'down', operations: [{ op: 'setLink', name: link.name, isUp: true }] })
  return [...problems, ...missingReach(owner, state), ...strayRoutes(owner, state)]
}

function wrongSettings(owner: LinkOwner, { link, settings }: HostState): HostProblem[] {
  return settingsOf(link.name, owner)
    .filter(({ key, value }) => settings.get(key) !== undefined && settings.get(key) !== value)
    .map((operation) => ({ what: `${operation.key}=${settings.get(operation.key)}`, operations: [operation] }))
}

function missingReach(owner: LinkOwner, { link, routes, addresses }: HostState): HostProblem[] {
  const lost = owner.addresses
    .map((address) => hostRoute(link.name, address))
    .filter((wanted) => !routes.some((route) => isSameRoute(wanted, route)))
    .map(({ destination }) => `no route to ${destination}`)
  const hasGateway = addresses.some(({ address }) => address === podGateways[6])
  if (owner.addresses.some((address) => familyOf(address) === 6) && !hasGateway) lost.push(`no ${podGateways[6]}`)
  return lost.length === 0 ? [] : [{ what: lost.join(', '), operations: hostReach(link.name, owner.addresses) }]
}

/** Nothing but its own addresses is behind a pod's interface. */
function strayRoutes(owner: LinkOwner, { link, routes }: HostState): HostProblem[] {
  const own = owner.addresses.map((address) => hostRoute(link.name, address))
  return routes
    .filter(({ protocol, table }) => protocol !== kernelProtocol && (table ?? 254) === 254)
    .filter(
      (route) => !own.some(({ destination, metric }) => destination === route.destination && metric === route.metric),
    )
    .map((route) => ({ what: `a route to ${route.destination}`, operations: [{ op: 'deleteRoute', route }] }))
}

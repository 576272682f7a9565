import type { Netns, Operation, Route, Rule } from './kernel.ts'

/** An operation in one line, for messages: its name, its device, what identifies it. */
export function describeOperation(operation: Operation): string {
  return `${operation.op} ${subject(operation)}`
}

/** How a namespace is called in messages. */
export function netnsName(netns: Netns): string {
  return netns ?? "the process' own namespace"
}

function subject(operation: Operation): string {
  switch (operation.op) {
    case 'ensureVeth':
      return `${operation.name} (peer ${operation.peer.name}${operation.peer.netns === undefined ? '' : ` in ${operation.peer.netns}`})`
    case 'ensureBridge':
    case 'ensureIpip':
    case 'setLink':
    case 'deleteLink':
      return operation.name
    case 'ensureVxlan':
      return `${operation.name} (VNI ${operation.id}, port ${operation.port}, from ${operation.local})`
    case 'deleteLinkGroup':
      return String(operation.group)
    case 'ensureAddress':
    case 'deleteAddress':
      return `${operation.address} on ${operation.device}`
    case 'ensureRoute':
    case 'deleteRoute':
      return describeRoute(operation.route)
    case 'ensureRule':
    case 'deleteRule':
      return describeRule(operation.rule)
    case 'ensureNeighbor':
    case 'deleteNeighbor':
      return `${operation.neighbor.address} on ${operation.neighbor.device}`
    case 'ensureFdb':
    case 'deleteFdb':
      return `${operation.entry.mac} at ${operation.entry.destination} on ${operation.entry.device}`
    case 'resolveNeighbor':
      return `${operation.address} on ${operation.device}`
    case 'ensureElements':
      return operation.sets.map(({ family, table, set }) => `${family} ${table} ${set}`).join(', ')
    case 'sysctl':
      return `${operation.key}=${operation.value}`
    case 'checksumOffload':
      return `${operation.device} ${operation.isOn ? 'on' : 'off'}`
  }
}

/** A route as `ip route` would print it, in short. */
export function describeRoute(route: Route): string {
  const ways = route.nextHops ?? [{ gateway: route.gateway, device: route.device }]
  const type = route.type === undefined || route.type === 'unicast' ? [] : [route.type]
  return [
    ...type,
    route.destination,
    ...ways.flatMap((way) => [...word('via', way.gateway), ...word('dev', way.device)]),
    ...word('table', route.table),
    ...word('metric', route.metric),
  ].join(' ')
}

function describeRule(rule: Rule): string {
  return [
    `${rule.priority}:`,
    `from ${rule.from ?? 'all'}`,
    ...word('to', rule.to),
    ...word('iif', rule.inputDevice),
    ...word('fwmark', rule.mark),
    `lookup ${rule.table}`,
    ...word('suppress_prefixlength', rule.suppressPrefixLength),
  ].join(' ')
}

function word(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`${name} ${value}`]
}

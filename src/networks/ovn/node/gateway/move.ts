import { parseInterfaceAddress } from '../../../../base/ip.ts'
import type { Operation, Route } from '../../../../kernel/kernel.ts'
import type { NicState } from './nic-state.ts'

/*
 * The host is reachable between any two of these operations, so a process that is killed there does no harm: the
 * device that comes gets the addresses first, then the routes, and only then the device that goes loses the addresses.
 */

/** Before the NIC is in the bridge: the bridge's own port has the addresses, and nothing goes over it yet. */
export function prepareOperations(state: NicState, bridge: string): Operation[] {
  return [
    // Answers may go out by the other of the two for a moment.
    { op: 'sysctl', key: `net/ipv4/conf/${bridge}/rp_filter`, value: '2' },
    // The NIC has the same IPv6 addresses until it loses them.
    { op: 'sysctl', key: `net/ipv6/conf/${bridge}/accept_dad`, value: '0', optional: true },
    { op: 'setLink', name: bridge, mtuBytes: state.mtuBytes },
    ...ensureAddresses(state, bridge),
    { op: 'setLink', name: bridge, isUp: true },
  ]
}

/** From one device to the other, when both hear the wire. */
export function moveOperations(state: NicState, from: string, to: string): Operation[] {
  return [
    { op: 'setLink', name: to, isUp: true },
    ...ensureAddresses(state, to),
    ...byReach(state.routes).map((route): Operation => ({ op: 'ensureRoute', route: { ...route, device: to } })),
    ...state.addresses.map((each): Operation => ({ op: 'deleteAddress', device: from, address: textOf(each) })),
  ]
}

function ensureAddresses(state: NicState, device: string): Operation[] {
  return state.addresses.map((each): Operation => {
    const { broadcast, scope } = each
    return {
      op: 'ensureAddress',
      device,
      address: textOf(each),
      ...(broadcast === undefined ? {} : { broadcast }),
      ...(scope === undefined ? {} : { scope }),
    }
  })
}

function textOf({ address, prefixLength }: { address: string; prefixLength: number }): string {
  return `${address}/${prefixLength}`
}

/** Routes to other gateways' subnets come before those that need them, the default route last. */
function byReach(routes: readonly Route[]): Route[] {
  const lengthOf = ({ destination }: Route): number => parseInterfaceAddress(destination).prefixLength
  return [...routes].sort((a, b) => lengthOf(b) - lengthOf(a))
}

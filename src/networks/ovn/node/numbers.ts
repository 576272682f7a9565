/**
 * What of the host's shared name spaces is ours on the OVN network's side; nothing else there is ever touched.
 * The lists for users are in docs/.
 */

/** Routing table for what leaves by the gateway interface. */
export const gatewayTable = 14_400

/** Priorities of our routing policy rules, in the order in which the kernel looks at them. */
export const rulePriority = {
  podsKnownPrefixes: 14_400,
  podsDefault: 14_401,
  ownAddressKnownPrefixes: 14_402,
  ownAddressDefault: 14_403,
} as const

/** RTPROT_* of our routes and FRA_PROTOCOL of our rules. */
export const routeProtocol = 144

/** Our nftables table. */
export const natTable = 'inet twinlane-ovn'

/** Keeps the host's stack off interfaces that the userspace datapath reads. */
export const fenceTable = 'netdev twinlane-ovn-fence'

/** Begins the alias of every host-side veth of ours; `<container ID>/<interface>` follows. */
export const aliasPrefix = 'twinlane-ovn:'

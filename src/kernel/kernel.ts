import type { Family } from '../base/ip.ts'

/** Path of a network namespace (`/run/netns/x`, `/proc/PID/ns/net`); undefined = the process' own. */
export type Netns = string | undefined

export interface Link {
  readonly index: number
  readonly name: string
  /** `veth`, `bridge`, `vxlan`, `tun` …; undefined for a device without IFLA_INFO_KIND (lo, physical NICs). */
  readonly kind: string | undefined
  readonly mac: string
  readonly mtuBytes: number
  readonly isUp: boolean
  readonly group: number
  readonly alias: string | undefined
  /** Index of the peer or lower link (IFLA_LINK), possibly in another namespace. */
  readonly linkIndex: number | undefined
  readonly masterIndex: number | undefined
}

export interface Address {
  readonly linkIndex: number
  readonly family: Family
  readonly address: string
  readonly prefixLength: number
  readonly broadcast?: string | undefined
  /** RT_SCOPE_*; 0 global, 253 link, 254 host. @default 0 */
  readonly scope?: number
}

export interface Route {
  readonly family: Family
  /** Canonical prefix, `0.0.0.0/0` or `::/0` for the default route. */
  readonly destination: string
  readonly gateway?: string | undefined
  /** Name of the output device. Blackhole routes have none. */
  readonly device?: string | undefined
  /** Preferred source address. */
  readonly source?: string | undefined
  /** RT_SCOPE_*; 0 universe, 253 link. */
  readonly scope?: number
  /** RT_TABLE_*, 254 = main. @default 254 */
  readonly table?: number
  /** RTPROT_*: who installed it. @default 3 (boot) */
  readonly protocol?: number
  readonly metric?: number
  readonly mtuBytes?: number
  /** @default unicast */
  readonly type?:
    | 'unicast'
    | 'blackhole'
    | 'local'
    | 'broadcast'
    | 'anycast'
    | 'multicast'
    | 'unreachable'
    | 'prohibit'
    | 'throw'
  /** The gateway need not be on the device's own subnet. */
  readonly onlink?: boolean
  /** More than one next hop (ECMP); then `gateway` and `device` are absent. */
  readonly nextHops?: readonly { gateway?: string | undefined; device?: string | undefined; weight?: number }[]
}

export interface Rule {
  readonly family: Family
  readonly priority: number
  readonly table: number
  /** Source prefix. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly inputDevice?: string | undefined
  readonly mark?: number | undefined
  /** FRA_SUPPRESS_PREFIXLEN: ignore what the table yields if its prefix is this short or shorter; 0 ignores default routes. */
  readonly suppressPrefixLength?: number | undefined
  readonly protocol?: number
}

export interface Neighbor {
  readonly family: Family
  readonly address: string
  readonly device: string
  readonly mac?: string | undefined
  readonly isPermanent?: boolean
  /** A proxy entry (NTF_PROXY): no mac. */
  readonly isProxy?: boolean
}

/** Where frames for a MAC address leave a VXLAN device for: the outer destination. */
export interface FdbEntry {
  readonly device: string
  readonly mac: string
  /** Address of the node that has the other end. */
  readonly destination: string
}

/** Settings of a device that decide about forwarding (the kernel's "netconf"); of `all` and `default` too. */
export interface DeviceSettings {
  readonly family: Family
  readonly device: string
  /** A report has only what has changed. */
  readonly isForwarding?: boolean
  /** Of IPv6: answers neighbour discovery for others. */
  readonly hasProxyArp?: boolean
  readonly rpFilter?: number
}

/** One part of a set's key: `iface_index`, `ether_addr`, or an address of either family. */
export type NftKeyPart = { readonly device: string } | { readonly mac: string } | { readonly address: string }

/** Elements of one set of nftables. */
export interface NftElements {
  readonly family: 'inet' | 'arp'
  readonly table: string
  readonly set: string
  /** Parts in the order of the set's type. */
  readonly keys: readonly (readonly NftKeyPart[])[]
}

/** Something in a table of nftables has been changed or deleted, or added other than an element of a set. */
export interface NftChange {
  /** `inet`, `ip`, `ip6`, `netdev` …; the number when it has no name here. */
  readonly family: string
  readonly table: string
}

/**
 * One idempotent effect in one namespace. "ensure" creates, or changes what differs; "delete" of what is not there
 * succeeds. Devices are named; the implementation resolves names when it runs, so a batch may use a link that an
 * earlier operation of the same batch made.
 */
export type Operation =
  | {
      op: 'ensureVeth'
      name: string
      peer: { name: string; netns: Netns; mac?: string; mtuBytes?: number }
      mac?: string
      mtuBytes?: number
      isUp?: boolean
      group?: number
      alias?: string
    }
  | { op: 'ensureBridge'; name: string; mac?: string; mtuBytes?: number; isUp?: boolean }
  /** Without learning: every entry is ours. What cannot be changed in place (id, port, local address) makes it anew. */
  | {
      op: 'ensureVxlan'
      name: string
      /** VNI, 24 bits. */
      id: number
      /** UDP, outer destination. */
      port: number
      /** Outer source. */
      local: string
      mac: string
      mtuBytes: number
      isUp?: boolean
    }
  /** The kernel's own IP-in-IP device (`tunl0`) or one more; EOPNOTSUPP where the kernel has no such devices. */
  | { op: 'ensureIpip'; name: string; mtuBytes: number; isUp?: boolean }
  | {
      op: 'setLink'
      name: string
      isUp?: boolean
      mtuBytes?: number
      mac?: string
      master?: string | null
      newName?: string
      moveTo?: string
      group?: number
      alias?: string
    }
  | { op: 'deleteLink'; name: string }
  /** Deletes every link of a group in one message; one kernel wait for all. Only ever use groups that are ours. */
  | { op: 'deleteLinkGroup'; group: number }
  | { op: 'ensureAddress'; device: string; address: string; broadcast?: string; scope?: number }
  | { op: 'deleteAddress'; device: string; address: string }
  | { op: 'ensureRoute'; route: Route }
  | { op: 'deleteRoute'; route: Route }
  | { op: 'ensureRule'; rule: Rule }
  | { op: 'deleteRule'; rule: Rule }
  | { op: 'ensureNeighbor'; neighbor: Neighbor }
  | { op: 'deleteNeighbor'; neighbor: Neighbor }
  | { op: 'ensureFdb'; entry: FdbEntry }
  | { op: 'deleteFdb'; entry: FdbEntry }
  /** Makes the kernel ask for the neighbour's MAC now; the answer is a watch event, and is in `neighbors`. */
  | { op: 'resolveNeighbor'; device: string; address: string }
  /** In one transaction. Elements that are there already stay; a set that is not there is ENOENT. */
  | { op: 'ensureElements'; sets: readonly NftElements[] }
  /** Keys as in sysctl(8) with `/` between parts, e.g. `net/ipv4/conf/eth0/proxy_arp`. */
  | { op: 'sysctl'; key: string; value: string; optional?: boolean }
  /** Turns transmit checksum offload of a device off or on (SIOCETHTOOL). */
  | { op: 'checksumOffload'; device: string; isOn: boolean }

/** Operations for one namespace. */
export interface OperationBatch {
  readonly netns: Netns
  readonly operations: readonly Operation[]
}

/** Everything that a watch reports, by its name; each event has the object as the kernel sent it. */
export interface KernelObjects {
  link: Link
  address: Address
  route: Route
  rule: Rule
  neighbor: Neighbor
  fdb: FdbEntry
  /** Always `new`: the values that hold from now on. */
  settings: DeviceSettings
}

export type KernelEvent = {
  [Kind in keyof KernelObjects]: {
    readonly kind: Kind
    readonly action: 'new' | 'delete'
    readonly object: KernelObjects[Kind]
  }
}[keyof KernelObjects]

export interface KernelWatch {
  /** Resolves when the subscription is open in the kernel: later changes will be seen. */
  readonly ready: Promise<void>
  close(): Promise<void>
}

/**
 * What this project asks of Linux. All work happens in one worker thread, which alone enters other namespaces.
 * Errors are KernelError with the errno name and the kernel's own text (extended ack).
 */
export interface Kernel {
  /** Runs the operations in order in one namespace window; stops at the first failure and throws KernelError naming the operation. */
  apply(netns: Netns, operations: readonly Operation[]): Promise<void>
  /** Several batches one after the other, without anything of others in between; stops at the first failure. */
  applyEach(batches: readonly OperationBatch[]): Promise<void>
  links(netns: Netns): Promise<Link[]>
  findLink(netns: Netns, name: string): Promise<Link | undefined>
  addresses(netns: Netns, device?: string): Promise<Address[]>
  /** Routes of a table. @default the main table of both families */
  routes(
    netns: Netns,
    options?: { table?: number; family?: Family; protocol?: number; device?: string },
  ): Promise<Route[]>
  rules(netns: Netns, family?: Family): Promise<Rule[]>
  neighbors(netns: Netns, device?: string): Promise<Neighbor[]>
  fdb(netns: Netns, device: string): Promise<FdbEntry[]>
  readSysctl(netns: Netns, key: string): Promise<string | undefined>
  /** Whether a device computes checksums itself when it sends (SIOCETHTOOL). */
  hasChecksumOffload(netns: Netns, device: string): Promise<boolean>
  /** Runs nft commands (the nft language) as one transaction. Throws KernelError with nft's own message. */
  nft(netns: Netns, commands: string): Promise<void>
  /** `nft -j list …` parsed: the array under the key `nftables`. */
  nftList(netns: Netns, command: string): Promise<unknown[]>
  /** Opens a listening TCP socket inside a namespace and returns its file descriptor. */
  listenTcp(netns: Netns, address: string, port: number): Promise<number>
  /**
   * Opens a TCP socket inside a namespace that is connecting, and returns its file descriptor for `new net.Socket({ fd })`:
   * that tells, by its events, whether the connection comes about.
   */
  connectTcp(netns: Netns, address: string, port: number): Promise<number>
  /**
   * Calls back for each change in the namespace until closed. `onResync` is called when events were lost: then
   * everything must be read again.
   */
  watch(netns: Netns, onEvent: (event: KernelEvent) => void, onResync: () => void, filter?: WatchFilter): KernelWatch
  /** Calls back for each change of nftables in the namespace (see NftChange), once a transaction and table. */
  watchNft(netns: Netns, onChange: (change: NftChange) => void, onResync: () => void): KernelWatch
  close(): Promise<void>
}

export interface WatchFilter {
  /**
   * Only what concerns these devices: names, or beginnings that end with `*`. Everything else never leaves the thread
   * that listens. Rules, which concern no device, are left out.
   */
  readonly devices: readonly string[]
  /** But not these, in the same form. @default none */
  readonly except?: readonly string[]
  /** Only events of these kinds. @default all */
  readonly kinds?: readonly (keyof KernelObjects)[]
}

/** A failed operation: errno name (EEXIST, ENODEV …), the kernel's text, and the operation. */
export { KernelError } from './errors.ts'

/** Numbers of the kernel's interface, by their names in linux/netlink.h, rtnetlink.h, if_link.h, fib_rules.h, neighbour.h. */

export const NLMSG_HEADER_LENGTH = 16
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const NLM_F_REQUEST = 0x1
export const NLM_F_MULTI = 0x2
export const NLM_F_ACK = 0x4
export const NLM_F_ECHO = 0x8
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
/** In an error message: the request is not repeated. */
export const NLM_F_CAPPED = 0x100
/** In an error message: attributes (extended ack) follow. */
export const NLM_F_ACK_TLVS = 0x200

export const NLMSGERR_ATTR_MSG = 1

export const NLA_F_NESTED = 0x8000
export const NLA_TYPE_MASK = 0x3fff

export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
  NEWNETCONF: 80,
  NEWNSID: 88,
  GETNSID: 90,
} as const

export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10

export const IFF_UP = 0x1

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  GROUP: 27,
  NET_NS_FD: 28,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  LINK_NETNSID: 37,
} as const
export const IFLA_INFO_KIND = 1
export const IFLA_INFO_DATA = 2
export const VETH_INFO_PEER = 1

export const IFLA_VXLAN = { ID: 1, LOCAL: 4, LEARNING: 7, PORT: 15, LOCAL6: 17 } as const

export const NETCONFA = { IFINDEX: 1, FORWARDING: 2, RP_FILTER: 3, PROXY_NEIGH: 5 } as const

export const NETNSA_NSID = 1
export const NETNSA_FD = 3

export const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8 } as const
export const IFA_F_NODAD = 0x02

export const RTA = {
  DST: 1,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  MULTIPATH: 9,
  TABLE: 15,
  VIA: 18,
} as const
export const RTAX_MTU = 2
export const RTNH_F_ONLINK = 4
export const RTM_F_CLONED = 0x200
export const RTPROT_BOOT = 3
export const RT_TABLE_UNSPEC = 0
export const RT_TABLE_MAIN = 254
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_HOST = 254
export const RT_SCOPE_NOWHERE = 255

/** RTN_*, in the order of their numbers. */
export const ROUTE_TYPES = [
  undefined,
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
] as const

export const FRA = {
  DST: 1,
  SRC: 2,
  IIFNAME: 3,
  PRIORITY: 6,
  FWMARK: 10,
  SUPPRESS_PREFIXLEN: 14,
  TABLE: 15,
  FWMASK: 16,
  PROTOCOL: 21,
} as const
export const FR_ACT_TO_TBL = 1

export const NDA = { DST: 1, LLADDR: 2 } as const
/** The entry is the device's own, not that of the bridge it is in. */
export const NTF_SELF = 0x02
export const NTF_USE = 0x01
export const NTF_PROXY = 0x08
export const NUD_REACHABLE = 0x02
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80

export const RTNLGRP_LINK = 1

/** Multicast groups (RTNLGRP_*) that a watch joins, as the bits of nl_groups. */
export const WATCH_GROUPS = [1, 3, 5, 7, 8, 9, 11, 19, 24, 25].reduce((bits, group) => bits | (1 << (group - 1)), 0)

/** nfnetlink: the subsystem of nftables, its group, and the attribute that names the table in each of its messages. */
export const NFNL_SUBSYS_NFTABLES = 10
export const NFNLGRP_NFTABLES = 7
export const NFTA_TABLE = 1
/** What a transaction is between. */
export const NFNL_MSG_BATCH_BEGIN = 0x10
export const NFNL_MSG_BATCH_END = 0x11
export const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12
export const NFTA_SET_ELEM_LIST = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const
export const NFTA_LIST_ELEM = 1
export const NFTA_SET_ELEM_KEY = 1
export const NFTA_DATA_VALUE = 1
/** Ends a transaction; the only message that is about no table. */
export const NFT_MSG_NEWGEN = 15

import { createHash } from 'node:crypto'
import { addressBytes, bigintToAddress, bytesToAddress, type Family, familyOf, parseCidr } from '../../../base/ip.ts'

/** Names and fixed addresses are OVN-Kubernetes' own, so that ovn-nbctl and people who know it feel at home. */
export const clusterRouter = 'ovn_cluster_router'
export const joinSwitch = 'join'
/** By family. */
export const joinCidr: Readonly<Record<Family, string>> = { 4: '100.64.0.0/16', 6: 'fd98::/64' }
export const masqueradeCidr: Readonly<Record<Family, string>> = { 4: '169.254.169.0/29', 6: 'fd69::/125' }
/** Next hop that nobody has: host traffic for services is sent to it. */
export const masqueradeNextHop: Readonly<Record<Family, string>> = { 4: '169.254.169.4', 6: 'fd69::4' }
export const hairpinAddresses = '169.254.169.5 fd69::5'
export const physicalNetwork = 'physnet'
export const managementPort = 'ovn-k8s-mp0'
export const integrationBridge = 'br-int'

export const clusterPortGroup = 'clusterPortGroup'
export const clusterRouterPortGroup = 'clusterRtrPortGroup'
export const clusterLoadBalancers = 'clusterLBGroup'
export const switchLoadBalancers = 'clusterSwitchLBGroup'
export const routerLoadBalancers = 'clusterRouterLBGroup'

export const gatewayRouter = (node: string): string => `GR_${node}`
export const externalSwitch = (node: string): string => `ext_${node}`
export const switchToRouter = (node: string): string => `stor-${node}`
export const routerToSwitch = (node: string): string => `rtos-${node}`
export const routerToJoin = (router: string): string => `rtoj-${router}`
export const joinToRouter = (router: string): string => `jtor-${router}`
export const routerToExternal = (node: string): string => `rtoe-${gatewayRouter(node)}`
export const externalToRouter = (node: string): string => `etor-${gatewayRouter(node)}`
export const managementLogicalPort = (node: string): string => `k8s-${node}`
export const podPort = (namespace: string, name: string): string => `${namespace}_${name}`
export const gatewayBridge = (device: string): string => `br${device}`
/** Localnet port of a node's external switch. */
export const localnetPort = (bridge: string, node: string): string => `${bridge}_${node}`
/** The patch port that ovn-controller makes on the gateway bridge for the localnet port. */
export const patchPort = (bridge: string, node: string): string => `patch-${localnetPort(bridge, node)}-to-br-int`

/** MAC of whatever has this address: `0a:58` and its four bytes, for IPv6 those of the SHA-256 of its text. */
export function macOf(address: string): string {
  const bytes = addressBytes(address)
  return bytes.length === 4 ? macOfBytes(bytes) : hashedMac(address)
}

/** MAC of something that has no address: `0a:58` and the first bytes of a hash of what names it. */
export function hashedMac(name: string): string {
  return macOfBytes([...createHash('sha256').update(name).digest().subarray(0, 4)])
}

function macOfBytes(bytes: readonly number[]): string {
  return ['0a', '58', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':')
}

/** The addresses with a meaning in a node's subnet. */
export interface NodeSubnet {
  /** e.g. `10.144.0.0/24` */
  readonly cidr: string
  readonly family: Family
  readonly prefixLength: number
  /** `.1`, the router. */
  readonly gateway: string
  /** `.2`, the node's management port. */
  readonly management: string
}

export function nodeSubnet(cidr: string): NodeSubnet {
  const { first, family, prefixLength } = parseCidr(cidr)
  return {
    cidr,
    family,
    prefixLength,
    gateway: bigintToAddress(first + 1n, family),
    management: bigintToAddress(first + 2n, family),
  }
}

/** What tells the rows of the two families apart in their ids; IPv4's are the older. */
export function idOfFamily(id: string, family: Family): string {
  return family === 4 ? id : `${id}6`
}

/** The n-th address of the join network: 1 is the cluster router, a gateway router has its node's number. */
export function joinAddress(number: number, family: Family): string {
  return bigintToAddress(parseCidr(joinCidr[family]).first + BigInt(number), family)
}

/** The same with the length of its network. */
export function joinInterface(number: number, family: Family): string {
  return `${joinAddress(number, family)}/${parseCidr(joinCidr[family]).prefixLength}`
}

const families = [4, 6] as const

/** The families of addresses or prefixes, IPv4 first. */
export function familiesOf(texts: readonly string[]): Family[] {
  return families.filter((family) => ofFamily(texts, family) !== undefined)
}

/** The first address or prefix of a family. */
export function ofFamily(texts: readonly string[], family: Family): string | undefined {
  return allOfFamily(texts, family)[0]
}

export function allOfFamily(texts: readonly string[], family: Family): string[] {
  return texts.filter((text) => familyOf(text.split('/')[0] ?? text) === family)
}

/** The link-local address that follows from a MAC (RFC 4291, appendix A). */
export function linkLocalOf(mac: string): string {
  const [first = 0, ...rest] = mac.split(':').map((part) => Number.parseInt(part, 16))
  const bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, first ^ 2, ...rest.slice(0, 2), 0xff, 0xfe, ...rest.slice(2)]
  return bytesToAddress(bytes)
}

/** Name of a row whose real identity is in its external_ids: `a` and FNV-1a-64 of the primary id, in decimal. */
export function hashedName(primaryId: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(primaryId)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn
  return `a${hash}`
}

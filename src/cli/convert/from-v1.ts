import { addressBytes, familyOf, isAddress } from '../../base/ip.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { parseAsNumber } from '../../networks/routed/virtual-node.ts'
import { ConversionError } from './errors.ts'

/** An object of calicoctl's first API (`apiVersion: v1`), whose identity is spread over its metadata. */
export interface V1Object {
  readonly kind: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly spec: Readonly<Record<string, unknown>>
}

const apiVersion = 'projectcalico.org/v3'

/** By the kind in small letters, as calicoctl read it. */
export const v1Kinds: Readonly<Record<string, (object: V1Object) => KubeObject>> = {
  ippool: convertPool,
  bgppeer: convertPeer,
  node: convertNode,
}

/** Its blocks had one size; every node might use it (as Calico's own conversion has it). Throws ConversionError. */
function convertPool({ metadata, spec }: V1Object): KubeObject {
  const cidr = textOf(metadata, 'metadata.cidr', 'cidr')
  const ipip = (spec.ipip ?? {}) as { enabled?: boolean; mode?: string }
  const isIpv6 = cidr.includes(':')
  return resource('IPPool', cidr.replaceAll(/[.:/]/g, '-'), {
    cidr,
    blockSize: isIpv6 ? 122 : 26,
    ipipMode: ipipMode(ipip),
    vxlanMode: 'Never',
    natOutgoing: spec['nat-outgoing'] === true,
    disabled: spec.disabled === true,
    nodeSelector: 'all()',
  })
}

function ipipMode({ enabled = false, mode = 'always' }: { enabled?: boolean; mode?: string }): string {
  if (!enabled) return 'Never'
  return mode.toLowerCase() === 'cross-subnet' ? 'CrossSubnet' : 'Always'
}

/** Throws ConversionError. */
function convertPeer({ metadata, spec }: V1Object): KubeObject {
  const peerIP = textOf(metadata, 'metadata.peerIP', 'peerIP')
  if (!isAddress(peerIP)) throw new ConversionError('metadata.peerIP', `"${peerIP}" is not an IP address`)
  const scope = textOf(metadata, 'metadata.scope', 'scope')
  const asNumber = asNumberOf(spec.asNumber, 'spec.asNumber')
  const where = { peerIP, ...(asNumber === undefined ? {} : { asNumber }) }
  if (scope === 'global') {
    if (metadata.node !== undefined) throw new ConversionError('metadata.node', 'cannot be set when scope is global')
    return resource('BGPPeer', addressName(peerIP), where)
  }
  if (scope !== 'node') throw new ConversionError('metadata.scope', `"${scope}" is neither global nor node`)
  const node = nodeName(textOf(metadata, 'metadata.node', 'node'))
  return resource('BGPPeer', `${node}.${addressName(peerIP)}`, { node, ...where })
}

/** Throws ConversionError. */
function convertNode({ metadata, spec }: V1Object): KubeObject {
  const name = nodeName(textOf(metadata, 'metadata.name', 'name'))
  const { bgp, orchRefs } = spec as { bgp?: Record<string, unknown>; orchRefs?: unknown }
  if (bgp !== undefined && bgp.ipv4Address === undefined && bgp.ipv6Address === undefined) {
    throw new ConversionError('spec.bgp', 'has neither ipv4Address nor ipv6Address')
  }
  const asNumber = asNumberOf(bgp?.asNumber, 'spec.bgp.asNumber')
  return resource('Node', name, {
    ...(bgp === undefined ? {} : { bgp: { ...bgp, ...(asNumber === undefined ? {} : { asNumber }) } }),
    ...(orchRefs === undefined ? {} : { orchRefs }),
  })
}

function resource(kind: string, name: string, spec: object): KubeObject {
  return { apiVersion, kind, metadata: { name }, spec } as KubeObject
}

function textOf(from: Readonly<Record<string, unknown>>, field: string, key: string): string {
  const value = from[key]
  if (typeof value === 'string' && value !== '') return value
  throw new ConversionError(field, 'is missing')
}

/** Also in the dotted form, which YAML may take for a fraction. */
function asNumberOf(value: unknown, field: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const number = parseAsNumber(String(value))
  if (number !== undefined) return number
  throw new ConversionError(field, `"${String(value)}" is not an AS number`)
}

/** `192-0-2-1`; of IPv6 all eight groups, with all their zeros. */
function addressName(address: string): string {
  if (familyOf(address) === 4) return address.replaceAll('.', '-')
  const hex = addressBytes(address)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
  return (hex.match(/.{4}/g) ?? []).join('-')
}

/** Names of hosts became names of Kubernetes (as Calico's own conversion has it). */
function nodeName(host: string): string {
  return host
    .toLowerCase()
    .replaceAll('/', '.')
    .replaceAll(/[^-.a-z0-9]+/g, '-')
    .replaceAll(/[.-]*\.[.-]*/g, '.')
    .replaceAll(/^[.-]+|[.-]+$/g, '')
}

import { bigintToAddress, cidrContains, isAddress, parseCidr } from '../../../base/ip.ts'
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, invalid, invalidValue } from '../status.ts'
import type { RuleContext } from './rules.ts'

const about = { group: '', plural: 'services', kind: 'Service' }
const [firstNodePort, lastNodePort] = [30_000, 32_767]
/** The lower part of the range is left for addresses that are asked for by hand, as in Kubernetes. */
const reservedAddresses = 256n

/** Gives the service an address unless it is headless or external. Throws 422 for one that is taken or out of range. */
export function allocateAddress(service: ApiObject, context: RuleContext): void {
  const spec = objectAt(service, 'spec')
  if (spec.type === 'ExternalName') {
    for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) delete spec[field]
    return
  }
  const asked = String(spec.clusterIP ?? listAt(spec, 'clusterIPs')[0] ?? '')
  const address = asked === '' ? freeAddress(service, context) : checkedAddress(service, asked, context)
  spec.clusterIP = address
  spec.clusterIPs = [address]
  spec.ipFamilies ??= [address.includes(':') ? 'IPv6' : familyOfCidr(context)]
  spec.ipFamilyPolicy ??= 'SingleStack'
}

function familyOfCidr({ serviceCidr }: RuleContext): string {
  return parseCidr(serviceCidr).family === 4 ? 'IPv4' : 'IPv6'
}

function checkedAddress(service: ApiObject, address: string, context: RuleContext): string {
  if (address === 'None') return address
  const refuse = (why: string): Error =>
    fault(service, invalidValue('spec.clusterIPs', [address], `failed to allocate IP ${address}: ${why}`))
  if (!isAddress(address))
    throw fault(
      service,
      invalidValue('spec.clusterIPs[0]', address, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'),
    )
  if (!cidrContains(parseCidr(context.serviceCidr), address)) {
    throw refuse(
      `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${context.serviceCidr}`,
    )
  }
  if (usedAddresses(service, context).has(address)) throw refuse('provided IP is already allocated')
  return address
}

function freeAddress(service: ApiObject, context: RuleContext): string {
  const { first, last, family } = parseCidr(context.serviceCidr)
  const used = usedAddresses(service, context)
  const size = last - first - 1n
  const low = size / 16n < reservedAddresses ? size / 16n : reservedAddresses
  const start = BigInt(Math.floor(Math.random() * Number(size - low > 65_536n ? 65_536n : size - low)))
  for (let step = 0n; step < size; step++) {
    const address = bigintToAddress(first + 1n + ((low + start + step) % size), family)
    if (!used.has(address)) return address
  }
  throw fault(
    service,
    invalidValue('spec.clusterIPs', [], `failed to allocate an IP: range ${context.serviceCidr} is full`),
  )
}

function usedAddresses(service: ApiObject, context: RuleContext): Set<string> {
  return new Set(otherServices(service, context).map((other) => textAt(other, 'spec', 'clusterIP') ?? ''))
}

/** Gives every port of a NodePort or LoadBalancer service a port of the nodes. Throws 422 for one that is taken or out of range. */
export function allocateNodePorts(service: ApiObject, context: RuleContext): void {
  const ports = listAt(service, 'spec', 'ports').filter(isObject)
  if (!hasNodePorts(service)) {
    for (const port of ports) delete port.nodePort
    return
  }
  const used = new Set(otherServices(service, context).flatMap(nodePortsOf))
  ports.forEach((port, index) => {
    if (port.nodePort === undefined || port.nodePort === 0) port.nodePort = freeNodePort(service, used)
    else checkNodePort(service, `spec.ports[${index}].nodePort`, port, used)
    used.add(nodePortKey(port))
  })
}

function checkNodePort(service: ApiObject, field: string, port: JsonObject, used: Set<string>): void {
  const number = Number(port.nodePort)
  if (number < firstNodePort || number > lastNodePort) {
    const range = `The range of valid ports is ${firstNodePort}-${lastNodePort}`
    throw fault(service, invalidValue(field, port.nodePort, `provided port is not in the valid range. ${range}`))
  }
  if (used.has(nodePortKey(port)))
    throw fault(service, invalidValue(field, port.nodePort, 'provided port is already allocated'))
}

function freeNodePort(service: ApiObject, used: Set<string>): number {
  const count = lastNodePort - firstNodePort + 1
  const start = Math.floor(Math.random() * count)
  for (let step = 0; step < count; step++) {
    const port = firstNodePort + ((start + step) % count)
    if (!['TCP', 'UDP', 'SCTP'].some((protocol) => used.has(`${protocol} ${port}`))) return port
  }
  throw fault(service, invalidValue('spec.ports', [], 'failed to allocate a nodePort: range is full'))
}

function nodePortsOf(service: ApiObject): string[] {
  return listAt(service, 'spec', 'ports').filter(isObject).map(nodePortKey)
}

function nodePortKey(port: JsonObject): string {
  return `${String(port.protocol)} ${String(port.nodePort)}`
}

/** An update that leaves an allocation out keeps it. */
export function keepAllocations(service: ApiObject, before: ApiObject): void {
  const [spec, old] = [objectAt(service, 'spec'), objectAt(before, 'spec')]
  if (spec.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if ((spec.clusterIP ?? '') === '' && listAt(spec, 'clusterIPs').length === 0) {
      for (const field of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy']) spec[field] = old[field]
    }
  }
  if (!hasNodePorts(service)) return
  for (const port of listAt(spec, 'ports').filter(isObject)) {
    const same = listAt(old, 'ports')
      .filter(isObject)
      .find((one) => one.port === port.port && one.protocol === port.protocol)
    if (same?.nodePort !== undefined) port.nodePort ??= same.nodePort
  }
}

/** Whether the service is reached on the nodes' own addresses. */
export function hasNodePorts(service: ApiObject | JsonObject): boolean {
  return ['NodePort', 'LoadBalancer'].includes(String(objectAt(service, 'spec').type))
}

function otherServices(service: ApiObject, { store }: RuleContext): ApiObject[] {
  const { name, namespace } = service.metadata
  return store
    .list('/services')
    .map((stored) => stored.object)
    .filter(({ metadata }) => metadata.name !== name || metadata.namespace !== namespace)
}

function fault(service: ApiObject, cause: Cause): Error {
  return invalid(about, service.metadata.name ?? '', [cause])
}

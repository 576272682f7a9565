import { isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { ageColumn, ageOf, nameColumn, type TableColumns } from './table.ts'

const none = '<none>'

export const serviceColumns: TableColumns = {
  columns: [
    nameColumn,
    { name: 'Type', type: 'string', description: 'How the service is reached.' },
    { name: 'Cluster-IP', type: 'string', description: 'Address inside the cluster.' },
    { name: 'External-IP', type: 'string', description: 'Addresses from outside.' },
    { name: 'Port(s)', type: 'string', description: 'Ports, with node ports after a colon.' },
    ageColumn,
    { name: 'Selector', type: 'string', priority: 1, description: 'Labels of the pods behind the service.' },
  ],
  cells: (service) => [
    service.metadata.name,
    textAt(service, 'spec', 'type') ?? 'ClusterIP',
    textAt(service, 'spec', 'clusterIP') || none,
    externalText(service),
    servicePortsText(service),
    ageOf(service),
    selectorText(objectAt(service, 'spec', 'selector')),
  ],
}

export const endpointsColumns: TableColumns = {
  columns: [nameColumn, { name: 'Endpoints', type: 'string', description: 'Addresses and ports.' }, ageColumn],
  cells: (endpoints) => [endpoints.metadata.name, endpointsText(endpoints), ageOf(endpoints)],
}

export const endpointSliceColumns: TableColumns = {
  columns: [
    nameColumn,
    { name: 'AddressType', type: 'string', description: 'Kind of the addresses.' },
    { name: 'Ports', type: 'string', description: 'Ports of every endpoint.' },
    { name: 'Endpoints', type: 'string', description: 'Addresses.' },
    ageColumn,
  ],
  cells: (slice) => [
    slice.metadata.name,
    slice.addressType,
    shorten(
      listAt(slice, 'ports').map((port) => String(isObject(port) ? (port.port ?? '*') : '*')),
      '<unset>',
    ),
    shorten(
      listAt(slice, 'endpoints').flatMap((endpoint) => listAt(endpoint, 'addresses').map(String)),
      '<unset>',
    ),
    ageOf(slice),
  ],
}

function externalText(service: ApiObject): string {
  const spec = objectAt(service, 'spec')
  const fixed = listAt(spec, 'externalIPs').map(String)
  if (spec.type === 'ExternalName') return String(spec.externalName ?? none)
  if (spec.type !== 'LoadBalancer') return fixed.join(',') || none
  const ingress = listAt(service, 'status', 'loadBalancer', 'ingress')
  const given = ingress.map((one) => textAt(one, 'ip') ?? textAt(one, 'hostname') ?? '')
  return [...given, ...fixed].filter((text) => text !== '').join(',') || '<pending>'
}

function servicePortsText(service: ApiObject): string {
  const ports = listAt(service, 'spec', 'ports').filter(isObject)
  const texts = ports.map(({ port, nodePort, protocol }) => {
    const node = nodePort === undefined || nodePort === 0 ? '' : `:${String(nodePort)}`
    return `${String(port)}${node}/${String(protocol)}`
  })
  return texts.join(',') || none
}

function selectorText(selector: JsonObject): string {
  const terms = Object.entries(selector).map(([key, value]) => `${key}=${String(value)}`)
  return terms.sort().join(',') || none
}

function endpointsText(endpoints: ApiObject): string {
  const pairs = listAt(endpoints, 'subsets').flatMap((subset) => {
    const ports = listAt(subset, 'ports').filter(isObject)
    const addresses = listAt(subset, 'addresses').map((one) => textAt(one, 'ip') ?? '')
    if (ports.length === 0) return addresses
    return ports.flatMap((port) => addresses.map((address) => hostPort(address, port.port)))
  })
  return shorten(pairs, none)
}

function hostPort(address: string, port: unknown): string {
  return address.includes(':') ? `[${address}]:${String(port)}` : `${address}:${String(port)}`
}

const shown = 3

function shorten(items: readonly string[], otherwise: string): string {
  if (items.length === 0) return otherwise
  const rest = items.length - shown
  return rest > 0 ? `${items.slice(0, shown).join(',')} + ${rest} more...` : items.join(',')
}

import { isObject, type JsonObject, listAt, objectAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, duplicateValue, invalidValue, notSupported, required } from '../status.ts'
import { checkLabels } from './metadata.ts'
import { checkText } from './names.ts'
import { checkPortNumber } from './pod-validation.ts'

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const protocols = ['SCTP', 'TCP', 'UDP']

/** Faults of a service, after its allocations. */
export function checkService(service: ApiObject, before: ApiObject | undefined): Cause[] {
  const spec = objectAt(service, 'spec')
  const ports = listAt(spec, 'ports').filter(isObject)
  const mayHaveNoPorts = spec.clusterIP === 'None' || spec.type === 'ExternalName'
  return [
    ...(types.includes(String(spec.type)) ? [] : [notSupported('spec.type', spec.type, types)]),
    ...(ports.length === 0 && !mayHaveNoPorts ? [required('spec.ports')] : []),
    ...ports.flatMap((port, index) => checkPort(port, `spec.ports[${index}]`, ports)),
    ...checkDuplicates(ports),
    ...checkLabels('spec.selector', spec.selector),
    ...(spec.type === 'ExternalName' && (spec.externalName ?? '') === '' ? [required('spec.externalName')] : []),
    ...(['None', 'ClientIP'].includes(String(spec.sessionAffinity))
      ? []
      : [notSupported('spec.sessionAffinity', spec.sessionAffinity, ['ClientIP', 'None'])]),
    ...(before === undefined ? [] : checkAddressKept(spec, objectAt(before, 'spec'))),
  ]
}

function checkPort(port: JsonObject, field: string, all: readonly JsonObject[]): Cause[] {
  const name = String(port.name ?? '')
  const isNameNeeded = all.length > 1
  return [
    ...(name === '' ? (isNameNeeded ? [required(`${field}.name`)] : []) : checkText(`${field}.name`, name, 'label')),
    ...checkPortNumber(`${field}.port`, port.port),
    ...(typeof port.targetPort === 'number' ? checkPortNumber(`${field}.targetPort`, port.targetPort) : []),
    ...(protocols.includes(String(port.protocol)) ? [] : [notSupported(`${field}.protocol`, port.protocol, protocols)]),
  ]
}

function checkDuplicates(ports: readonly JsonObject[]): Cause[] {
  const seen = new Set<string>()
  return ports.flatMap((port, index) => {
    const [key, name] = [`${String(port.protocol)}/${String(port.port)}`, `name ${String(port.name)}`]
    const causes: Cause[] = []
    if (seen.has(key)) causes.push(duplicateValue(`spec.ports[${index}]`, { port: port.port, protocol: port.protocol }))
    if (port.name !== undefined && seen.has(name)) causes.push(duplicateValue(`spec.ports[${index}].name`, port.name))
    seen.add(key).add(name)
    return causes
  })
}

function checkAddressKept(spec: JsonObject, before: JsonObject): Cause[] {
  const isFree = spec.type === 'ExternalName' || before.type === 'ExternalName'
  if (isFree || before.clusterIP === undefined || spec.clusterIP === before.clusterIP) return []
  return [invalidValue('spec.clusterIPs[0]', [spec.clusterIP], 'may not change once set')]
}

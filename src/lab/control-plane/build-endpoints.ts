import { createHash } from 'node:crypto'
import type { EndpointAddress, EndpointPort, EndpointSubset, ServicePort } from 'kubernetes-types/core/v1.js'
import type { Endpoint } from 'kubernetes-types/discovery/v1.js'
import { familyOf } from '../../base/ip.ts'
import type { EndpointSliceResource, PodResource, ServiceResource } from '../../kube/resources/core.ts'
import type { EndpointsResource } from './resources.ts'

/** Who made a slice; other controllers' slices are left alone. */
export const sliceLabels = {
  serviceName: 'kubernetes.io/service-name',
  managedBy: 'endpointslice.kubernetes.io/managed-by',
  headless: 'service.kubernetes.io/headless',
} as const
export const sliceController = 'endpointslice-controller.k8s.io'
export const endpointsLabel = 'endpoints.kubernetes.io/managed-by'
export const endpointsController = 'endpoint-controller'

/** A pod behind a service, with the service's ports as this pod has them. */
interface Member {
  readonly pod: PodResource
  readonly addresses: readonly string[]
  readonly ports: readonly EndpointPort[]
  readonly isReady: boolean
}

/** The EndpointSlices of a service: one for each address family and each set of port numbers. Pure. */
export function buildEndpointSlices(service: ServiceResource, pods: readonly PodResource[]): EndpointSliceResource[] {
  const members = membersOf(service, pods)
  const families = service.spec?.ipFamilies ?? ['IPv4']
  return families.flatMap((family) => {
    const groups = groupByPorts(members.filter((member) => addressIn(member, family) !== undefined))
    if (groups.length === 0) return [buildSlice({ service, family, members: [], ports: [] })]
    return groups.map((group) => buildSlice({ service, family, members: group, ports: group[0]?.ports ?? [] }))
  })
}

/** The older Endpoints object of a service. Pure. */
export function buildEndpoints(service: ServiceResource, pods: readonly PodResource[]): EndpointsResource {
  const { name, namespace } = service.metadata
  const family = service.spec?.ipFamilies?.[0] ?? 'IPv4'
  const members = membersOf(service, pods).filter((member) => addressIn(member, family) !== undefined)
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...service.metadata.labels, ...headlessLabel(service), [endpointsLabel]: endpointsController },
    },
    subsets: groupByPorts(members).map((group) => buildSubset(group, family)),
  }
}

function groupByPorts(members: readonly Member[]): Member[][] {
  const groups = new Map<string, Member[]>()
  for (const member of members) {
    const key = JSON.stringify(member.ports)
    groups.set(key, [...(groups.get(key) ?? []), member])
  }
  return [...groups.values()]
}

function buildSlice(options: {
  service: ServiceResource
  family: string
  members: readonly Member[]
  ports: readonly EndpointPort[]
}): EndpointSliceResource {
  const { service, family, members, ports } = options
  const { name, namespace = '', uid = '', labels = {} } = service.metadata
  const suffix = createHash('sha256')
    .update(`${uid} ${family} ${JSON.stringify(ports)}`)
    .digest('hex')
    .slice(0, 5)
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-${suffix}`,
      namespace,
      labels: {
        ...labels,
        ...headlessLabel(service),
        [sliceLabels.serviceName]: name,
        [sliceLabels.managedBy]: sliceController,
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Service', name, uid, controller: true, blockOwnerDeletion: true }],
    },
    addressType: family,
    endpoints: members.map((member) => buildEndpoint(member, family, service)),
    ports: ports.map((port) => ({ ...port, name: port.name ?? '' })),
  }
}

function buildEndpoint(member: Member, family: string, service: ServiceResource): Endpoint {
  const { pod, isReady } = member
  const isTerminating = pod.metadata.deletionTimestamp !== undefined
  const publishesAll = service.spec?.publishNotReadyAddresses === true
  const { hostname, subdomain, nodeName } = pod.spec ?? {}
  const hasName = hostname !== undefined && subdomain === service.metadata.name
  return {
    addresses: [addressIn(member, family) ?? ''],
    conditions: { ready: publishesAll || (isReady && !isTerminating), serving: isReady, terminating: isTerminating },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(hasName ? { hostname } : {}),
    targetRef: referenceTo(pod),
  }
}

function buildSubset(members: readonly Member[], family: string): EndpointSubset {
  const ready = members.filter(({ isReady }) => isReady)
  const notReady = members.filter(({ isReady }) => !isReady)
  const toAddress = (member: Member): EndpointAddress => ({
    ip: addressIn(member, family) ?? '',
    ...(member.pod.spec?.nodeName === undefined ? {} : { nodeName: member.pod.spec.nodeName }),
    targetRef: referenceTo(member.pod),
  })
  const ports = [...(members[0]?.ports ?? [])]
  return {
    ...(ready.length === 0 ? {} : { addresses: ready.map(toAddress) }),
    ...(notReady.length === 0 ? {} : { notReadyAddresses: notReady.map(toAddress) }),
    ...(ports.length === 0 ? {} : { ports }),
  }
}

function membersOf(service: ServiceResource, pods: readonly PodResource[]): Member[] {
  const selector = Object.entries(service.spec?.selector ?? {})
  const members = pods
    .filter(({ metadata }) => metadata.namespace === service.metadata.namespace)
    .filter(({ metadata }) => selector.every(([key, value]) => metadata.labels?.[key] === value))
    .filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
    .map((pod): Member => {
      const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
      const addresses = (pod.status?.podIPs ?? []).map(({ ip }) => ip ?? '')
      return { pod, addresses, isReady, ports: portsOf(service, pod) }
    })
  return members.sort((a, b) => a.pod.metadata.name.localeCompare(b.pod.metadata.name))
}

/** A named target port is looked up in the pod; a pod that lacks it is without this port. */
function portsOf(service: ServiceResource, pod: PodResource): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPortOf(port, pod)
    if (number === undefined) return []
    const { name, protocol = 'TCP', appProtocol } = port
    return [{ ...(name ? { name } : {}), port: number, protocol, ...(appProtocol ? { appProtocol } : {}) }]
  })
}

function targetPortOf({ port, targetPort, protocol = 'TCP' }: ServicePort, pod: PodResource): number | undefined {
  if (targetPort === undefined || targetPort === 0) return port
  if (typeof targetPort === 'number') return targetPort
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? [])
  return ports.find((candidate) => candidate.name === targetPort && (candidate.protocol ?? 'TCP') === protocol)
    ?.containerPort
}

function addressIn({ addresses }: Member, family: string): string | undefined {
  return addresses.find((address) => address !== '' && `IPv${familyOf(address)}` === family)
}

function headlessLabel(service: ServiceResource): Record<string, string> {
  return service.spec?.clusterIP === 'None' ? { [sliceLabels.headless]: '' } : {}
}

function referenceTo({ metadata }: PodResource) {
  const { name, namespace, uid } = metadata
  return {
    kind: 'Pod',
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  }
}

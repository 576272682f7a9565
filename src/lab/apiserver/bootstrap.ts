import { randomUUID } from 'node:crypto'
import { bigintToAddress, parseCidr } from '../../base/ip.ts'
import type { Api } from './api.ts'
import { isEqual } from './json.ts'
import { type ApiObject, timestamp } from './object.ts'

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** The objects that exist in every cluster from its start. Repairs them when the addresses have changed. */
export function ensureBootstrapObjects(api: Api, advertise: { host: string; port: number }): void {
  for (const name of namespaces) ensureNamespace(api, name)
  const cidr = parseCidr(api.serviceCidr)
  const clusterIp = bigintToAddress(cidr.first + 1n, cidr.family)
  ensure(api, '/services', kubernetesService(clusterIp, advertise.port))
  ensure(api, '/endpoints', kubernetesEndpoints(advertise))
  ensure(api, 'discovery.k8s.io/endpointslices', kubernetesEndpointSlice(advertise))
}

function ensureNamespace(api: Api, name: string): void {
  if (api.store.get('/namespaces', name) !== undefined) return
  const metadata = { ...newMetadata(name), labels: { 'kubernetes.io/metadata.name': name } }
  const status = { phase: 'Active' }
  api.store.put('/namespaces', name, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata,
    spec: { finalizers: ['kubernetes'] },
    status,
  })
}

function ensure(api: Api, collection: string, desired: ApiObject): void {
  const key = `default/${desired.metadata.name}`
  const found = api.store.get(collection, key)?.object
  if (found === undefined) api.store.put(collection, key, desired)
  else if (!isEqual({ ...found, metadata: 0 }, { ...desired, metadata: 0 })) {
    api.store.put(collection, key, { ...desired, metadata: { ...found.metadata } })
  }
}

function newMetadata(name: string): ApiObject['metadata'] {
  return { name, uid: randomUUID(), creationTimestamp: timestamp() }
}

const labels = { component: 'apiserver', provider: 'kubernetes' }

function kubernetesService(clusterIP: string, targetPort: number): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...newMetadata('kubernetes'), namespace: 'default', labels },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      internalTrafficPolicy: 'Cluster',
      ipFamilies: [clusterIP.includes(':') ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
    status: { loadBalancer: {} },
  }
}

function kubernetesEndpoints({ host, port }: { host: string; port: number }): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      ...newMetadata('kubernetes'),
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [{ addresses: [{ ip: host }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  }
}

function kubernetesEndpointSlice({ host, port }: { host: string; port: number }): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      ...newMetadata('kubernetes'),
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': 'kubernetes' },
    },
    addressType: host.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [host], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  }
}

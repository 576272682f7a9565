import { isObject, type JsonObject, listAt, objectAt } from '../json.ts'
import type { ApiObject } from '../object.ts'

/** Writes what a pod's author may leave out, as the Kubernetes API does. */
export function setPodDefaults(pod: ApiObject): void {
  if (!isObject(pod.spec)) return
  const { spec } = pod
  spec.restartPolicy ??= 'Always'
  spec.dnsPolicy ??= 'ClusterFirst'
  spec.terminationGracePeriodSeconds ??= 30
  spec.securityContext ??= {}
  spec.schedulerName ??= 'default-scheduler'
  spec.enableServiceLinks ??= true
  spec.serviceAccountName ??= spec.serviceAccount ?? 'default'
  spec.serviceAccount ??= spec.serviceAccountName
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of listAt(spec, list).filter(isObject)) setContainerDefaults(container, spec)
  }
  for (const volume of listAt(spec, 'volumes').filter(isObject)) setVolumeDefaults(volume)
}

function setContainerDefaults(container: JsonObject, spec: JsonObject): void {
  container.imagePullPolicy ??= pullPolicyOf(container.image)
  container.resources ??= {}
  container.terminationMessagePath ??= '/dev/termination-log'
  container.terminationMessagePolicy ??= 'File'
  for (const port of listAt(container, 'ports').filter(isObject)) {
    port.protocol ??= 'TCP'
    if (spec.hostNetwork === true) port.hostPort ??= port.containerPort
  }
  for (const variable of listAt(container, 'env')) {
    const reference = objectAt(variable, 'valueFrom').fieldRef
    if (isObject(reference)) reference.apiVersion ??= 'v1'
  }
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (isObject(container[probe])) setProbeDefaults(container[probe])
  }
  fillRequests(objectAt(container, 'resources'))
}

function setProbeDefaults(probe: JsonObject): void {
  probe.timeoutSeconds ??= 1
  probe.periodSeconds ??= 10
  probe.successThreshold ??= 1
  probe.failureThreshold ??= 3
  if (!isObject(probe.httpGet)) return
  probe.httpGet.path ??= '/'
  probe.httpGet.scheme ??= 'HTTP'
}

function setVolumeDefaults(volume: JsonObject): void {
  if (Object.keys(volume).length === 1) volume.emptyDir = {}
  for (const source of ['configMap', 'secret', 'downwardAPI', 'projected']) {
    if (isObject(volume[source])) volume[source].defaultMode ??= 420
  }
  if (isObject(volume.hostPath)) volume.hostPath.type ??= ''
}

/** A limit without a request is the request too. */
function fillRequests(resources: JsonObject): void {
  if (!isObject(resources.limits)) return
  resources.requests = { ...resources.limits, ...objectAt(resources, 'requests') }
}

/** An image without a tag, or tagged latest, may change at any time. */
function pullPolicyOf(image: unknown): string {
  const name = String(image ?? '')
  if (name.includes('@')) return 'IfNotPresent'
  const tag = /:([^/:]+)$/.exec(name)?.[1] ?? 'latest'
  return tag === 'latest' ? 'Always' : 'IfNotPresent'
}

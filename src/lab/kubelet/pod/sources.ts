import type { Container, PodSpec } from 'kubernetes-types/core/v1.js'
import { TwinlaneError } from '../../../base/errors.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { configMaps, secrets } from '../../../kube/resources/core.ts'

/** A ConfigMap or Secret that the pod needs is not there, or lacks a key. */
export class MissingSourceError extends TwinlaneError {}

/** Keys and values of the ConfigMaps and Secrets that a container refers to; undefined for one that does not exist. */
export interface Sources {
  readonly configMaps: ReadonlyMap<string, Record<string, Buffer> | undefined>
  readonly secrets: ReadonlyMap<string, Record<string, Buffer> | undefined>
}

/** Reads all that a container's environment and the pod's volumes refer to; no request when that is nothing. */
export async function readSources(
  kube: KubeClient,
  namespace: string,
  names: { configMaps: Set<string>; secrets: Set<string> },
): Promise<Sources> {
  const [configMapEntries, secretEntries] = await Promise.all([
    Promise.all([...names.configMaps].map(async (name) => [name, await readConfigMap(kube, namespace, name)] as const)),
    Promise.all([...names.secrets].map(async (name) => [name, await readSecret(kube, namespace, name)] as const)),
  ])
  return { configMaps: new Map(configMapEntries), secrets: new Map(secretEntries) }
}

/** Names that the environment of a container refers to. */
export function sourcesOfEnv(container: Container): { configMaps: Set<string>; secrets: Set<string> } {
  const names = { configMaps: new Set<string>(), secrets: new Set<string>() }
  for (const source of container.envFrom ?? []) {
    if (source.configMapRef?.name !== undefined) names.configMaps.add(source.configMapRef.name)
    if (source.secretRef?.name !== undefined) names.secrets.add(source.secretRef.name)
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.configMapKeyRef?.name !== undefined) names.configMaps.add(valueFrom.configMapKeyRef.name)
    if (valueFrom?.secretKeyRef?.name !== undefined) names.secrets.add(valueFrom.secretKeyRef.name)
  }
  return names
}

/** Names that the volumes of a pod refer to. */
export function sourcesOfVolumes(spec: PodSpec): { configMaps: Set<string>; secrets: Set<string> } {
  const names = { configMaps: new Set<string>(), secrets: new Set<string>() }
  for (const volume of spec.volumes ?? []) {
    if (volume.configMap?.name !== undefined) names.configMaps.add(volume.configMap.name)
    if (volume.secret?.secretName !== undefined) names.secrets.add(volume.secret.secretName)
  }
  return names
}

async function readConfigMap(kube: KubeClient, namespace: string, name: string) {
  const object = await kube.find(configMaps, name, namespace)
  if (object === undefined) return undefined
  return { ...decode(object.data, 'utf8'), ...decode(object.binaryData, 'base64') }
}

async function readSecret(kube: KubeClient, namespace: string, name: string) {
  const object = await kube.find(secrets, name, namespace)
  return object === undefined ? undefined : decode(object.data, 'base64')
}

function decode(data: Record<string, string> | undefined, encoding: 'utf8' | 'base64'): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, encoding)]))
}

import type { Container, EnvFromSource, EnvVar } from 'kubernetes-types/core/v1.js'
import type { PodResource } from '../../../kube/resources/core.ts'
import { MissingSourceError, type Sources } from './sources.ts'

/** What only the node knows of a pod when its containers start. */
export interface PodFacts {
  readonly hostname: string
  readonly hostIp: string
  readonly podIps: readonly string[]
}

/**
 * A container's environment: the image's, envFrom, then env, later entries winning, `$(NAME)` expanded from what stands
 * before. Throws MissingSourceError for a key that is not optional.
 */
export function buildEnv(options: {
  pod: PodResource
  container: Container
  image: readonly string[]
  sources: Sources
  facts: PodFacts
}): Record<string, string> {
  const { pod, container, sources, facts } = options
  const env: Record<string, string> = Object.fromEntries(options.image.map(splitEnv))
  env.HOSTNAME = facts.hostname
  for (const source of container.envFrom ?? []) Object.assign(env, valuesFrom(source, pod, sources))
  for (const entry of container.env ?? []) {
    const value = resolveValue(entry, { pod, sources, facts, env })
    if (value !== undefined) env[entry.name] = value
  }
  return env
}

/** Replaces `$(NAME)` where NAME is known and `$$(NAME)` by `$(NAME)`, as in Kubernetes' args, command and env. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return '$'
    return env[name] ?? whole
  })
}

function splitEnv(line: string): [string, string] {
  const at = line.indexOf('=')
  return [line.slice(0, at), line.slice(at + 1)]
}

function valuesFrom(source: EnvFromSource, pod: PodResource, sources: Sources): Record<string, string> {
  const isSecret = source.secretRef !== undefined
  const reference = source.secretRef ?? source.configMapRef
  const name = reference?.name ?? ''
  const values = (isSecret ? sources.secrets : sources.configMaps).get(name)
  if (values === undefined) {
    if (reference?.optional === true) return {}
    throw new MissingSourceError(
      `${isSecret ? 'secret' : 'configmap'} "${name}" not found in ${pod.metadata.namespace}`,
    )
  }
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`${source.prefix ?? ''}${key}`, value.toString()]),
  )
}

interface EnvContext {
  pod: PodResource
  sources: Sources
  facts: PodFacts
  env: Record<string, string>
}

function resolveValue(entry: EnvVar, context: EnvContext): string | undefined {
  const from = entry.valueFrom
  if (from === undefined) return expand(entry.value ?? '', context.env)
  if (from.fieldRef !== undefined) return fieldOf(context.pod, from.fieldRef.fieldPath, context.facts)
  const isSecret = from.secretKeyRef !== undefined
  const reference = from.secretKeyRef ?? from.configMapKeyRef
  if (reference === undefined) return undefined
  const values = (isSecret ? context.sources.secrets : context.sources.configMaps).get(reference.name ?? '')
  const value = values?.[reference.key]
  if (value !== undefined) return value.toString()
  if (reference.optional === true) return undefined
  const where = `${isSecret ? 'Secret' : 'ConfigMap'} ${context.pod.metadata.namespace}/${reference.name}`
  throw new MissingSourceError(`couldn't find key ${reference.key} in ${where}`)
}

/** The downward API: the value of a field path, '' where the pod has none. */
export function fieldOf(pod: PodResource, path: string, facts: PodFacts): string {
  const entry = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path)
  if (entry !== null) return pod.metadata[entry[1] as 'labels' | 'annotations']?.[entry[2] ?? ''] ?? ''
  const fields: Record<string, string | undefined> = {
    'metadata.name': pod.metadata.name,
    'metadata.namespace': pod.metadata.namespace,
    'metadata.uid': pod.metadata.uid,
    'spec.nodeName': pod.spec?.nodeName,
    'spec.serviceAccountName': pod.spec?.serviceAccountName,
    'status.hostIP': facts.hostIp,
    'status.hostIPs': facts.hostIp,
    'status.podIP': facts.podIps[0],
    'status.podIPs': facts.podIps.join(','),
  }
  return fields[path] ?? ''
}

import { isObject } from '../../kube/patch.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { routedResources } from '../../networks/routed/resources.ts'
import { exported } from '../exported.ts'
import { ConversionError } from './errors.ts'

/** Where Calico keeps its objects in Kubernetes, and the API that people use. */
export const storedVersion = 'crd.projectcalico.org/v1'
export const servedVersion = 'projectcalico.org/v3'

/** Calico puts labels and annotations of an object of v3 here, as JSON, when it stores it. */
const metadataAnnotation = 'projectcalico.org/metadata'

/** The one kind that is called otherwise where it is stored. */
const storedNames: Readonly<Record<string, string>> = { IPAMConfiguration: 'IPAMConfig' }
const servedNames: Readonly<Record<string, string>> = { IPAMConfig: 'IPAMConfiguration' }

/** The kind of v3 that a stored kind is; undefined for kinds that Twinlane does not have. */
export function servedKind(kind: string): string | undefined {
  const name = servedNames[kind] ?? kind
  return routedResources.some((type) => type.kind === name) ? name : undefined
}

/** A stored object as v3 has it, without what only its cluster knows. Throws ConversionError. */
export function fromStored(object: KubeObject, kind: string): KubeObject {
  const { metadata, ...rest } = exported(object)
  const { [metadataAnnotation]: kept, ...annotations } = metadata.annotations ?? {}
  const stored = parseStored(kept)
  return {
    ...rest,
    apiVersion: servedVersion,
    kind,
    metadata: {
      name: metadata.name,
      ...maps('labels', { ...metadata.labels, ...stored.labels }),
      ...maps('annotations', { ...annotations, ...stored.annotations }),
    },
  }
}

/** An object of v3 as Calico stores it. */
export function toStored(object: KubeObject): KubeObject {
  const { metadata, ...rest } = exported(object)
  const { name, labels = {}, annotations = {} } = metadata
  const kept = { ...maps('labels', labels), ...maps('annotations', annotations) }
  return {
    ...rest,
    apiVersion: storedVersion,
    kind: storedNames[object.kind ?? ''] ?? object.kind ?? '',
    metadata: {
      name,
      ...maps('annotations', Object.keys(kept).length === 0 ? {} : { [metadataAnnotation]: JSON.stringify(kept) }),
    },
  }
}

function parseStored(text: string | undefined): {
  labels?: Record<string, string>
  annotations?: Record<string, string>
} {
  if (text === undefined) return {}
  const field = `metadata.annotations.${metadataAnnotation}`
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (cause) {
    throw new ConversionError(field, 'is not JSON', { cause })
  }
  throw new ConversionError(field, 'is not a JSON object')
}

function maps<Name extends string>(
  name: Name,
  map: Record<string, string>,
): { [Key in Name]?: Record<string, string> } {
  return Object.keys(map).length === 0 ? {} : ({ [name]: map } as { [Key in Name]: Record<string, string> })
}

import { isObject } from '../../kube/patch.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { routedResources } from '../../networks/routed/resources.ts'
import { exported } from '../exported.ts'
import { isVirtualNode } from '../kinds.ts'
import { fromStored, servedKind, servedVersion, storedVersion, toStored } from './crd.ts'
import { v1Kinds } from './from-v1.ts'

export type ConversionTarget = 'v3' | 'crd'

/** The object in the other version, or why there is none. */
export type Conversion = { readonly object: KubeObject } | { readonly leftOut: string }

/** What Calico calls these is not part of Twinlane, or not yet. */
const withoutMeaning = 'Twinlane has no such kind'

/** Writes an object of any version of Calico's API in the wanted one. Pure. Throws ConversionError naming the field. */
export function convertObject(object: KubeObject, target: ConversionTarget): Conversion {
  const served = toServed(object)
  if ('leftOut' in served || target === 'v3') return served
  const { kind = '' } = served.object
  if (isVirtualNode({ group: 'projectcalico.org', kind }))
    return { leftOut: "Calico's Node is not stored: it is annotations of the node of Kubernetes" }
  return { object: toStored(served.object) }
}

function toServed(object: KubeObject): Conversion {
  const { apiVersion = '', kind = '' } = object
  if (apiVersion === servedVersion)
    return isServedKind(kind) ? { object: exported(object) } : { leftOut: withoutMeaning }
  if (apiVersion === storedVersion) {
    const name = servedKind(kind)
    return name === undefined ? { leftOut: withoutMeaning } : { object: fromStored(object, name) }
  }
  const convert = apiVersion === 'v1' && isOfCalico(object) ? v1Kinds[kind.toLowerCase()] : undefined
  if (convert === undefined)
    return { leftOut: apiVersion === 'v1' ? withoutMeaning : `${apiVersion} is no version of Calico's API` }
  const { spec } = object as { spec?: unknown }
  return { object: convert({ kind, metadata: { ...object.metadata }, spec: isObject(spec) ? spec : {} }) }
}

function isServedKind(kind: string): boolean {
  return isVirtualNode({ group: 'projectcalico.org', kind }) || routedResources.some((type) => type.kind === kind)
}

/** Kubernetes has an `apiVersion: v1` and a Node too; Calico's says something of BGP. */
function isOfCalico(object: KubeObject): boolean {
  if (object.kind !== 'Node') return true
  const { spec } = object as { spec?: { bgp?: unknown } }
  return spec?.bgp !== undefined
}

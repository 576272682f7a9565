import { closest } from '../base/closest.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../kube/resources/meta.ts'
import type { Connection } from './connection.ts'
import { discoverKinds } from './discovery.ts'
import { UsageError } from './io.ts'

/** Calico's Node: not stored, but a view of the core Node's annotations. */
export const virtualNodeType: ResourceType = {
  group: 'projectcalico.org',
  version: 'v3',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: [],
  isNamespaced: false,
}

export function isVirtualNode(type: Pick<ResourceType, 'group' | 'kind'>): boolean {
  return type.group === virtualNodeType.group && type.kind === virtualNodeType.kind
}

/** Kinds of the server by the names that people use for them. */
export class Kinds {
  readonly #types: readonly ResourceType[]

  constructor(types: readonly ResourceType[]) {
    this.#types = types
  }

  /**
   * `pods`, `pod`, `po`, `Pod`, `ippools.projectcalico.org`, `nodes.v1`. With `virtual`, `node` and `nodes` mean
   * Calico's Node, as calicoctl has it; `no` and `nodes.v1` always mean the Node of Kubernetes. Throws UsageError.
   */
  byName(text: string, options: { virtual?: boolean } = {}): ResourceType {
    const [name = '', ...rest] = text.toLowerCase().split('.')
    const place = rest.join('.').replace(/\.$/, '')
    const isNode = ['node', 'nodes'].includes(name)
    if (isNode && (place === virtualNodeType.group || (place === '' && options.virtual === true)))
      return virtualNodeType
    const found = this.#types.find((type) => namesOf(type).includes(name) && isPlace(type, place))
    if (found !== undefined) return found
    throw unknownKind(text, this.#types.flatMap(namesOf))
  }

  /** The kind of a document. Throws UsageError. */
  byObject(object: Pick<KubeObject, 'apiVersion' | 'kind'>): ResourceType {
    const { apiVersion = '', kind = '' } = object
    if (apiVersion === apiVersionOf(virtualNodeType) && kind === virtualNodeType.kind) return virtualNodeType
    const found = this.#types.find((type) => type.kind === kind && apiVersionOf(type) === apiVersion)
    if (found !== undefined) return found
    const known = this.#types.filter((type) => type.kind.toLowerCase() === kind.toLowerCase())
    const fix = known.map((type) => `${apiVersionOf(type)} ${type.kind}`).join(', ')
    throw new UsageError(`the server has no kind "${kind}" in ${apiVersion}`, fix === '' ? {} : { fix: `write ${fix}` })
  }
}

/** Asks the server what kinds there are. */
export async function loadKinds(connection: Pick<Connection, 'transport'>): Promise<Kinds> {
  return new Kinds(await discoverKinds(connection.transport))
}

/** `pod`, `ippool.projectcalico.org`: how a kind is named in `pod/busybox3 created`. */
export function shownKind(type: ResourceType): string {
  return type.group === '' ? type.singular : `${type.singular}.${type.group}`
}

function namesOf(type: ResourceType): string[] {
  return [type.plural, type.singular, type.kind.toLowerCase(), ...type.shortNames]
}

/** `place` is what follows the first dot: a group, a version, or version and group. */
function isPlace(type: ResourceType, place: string): boolean {
  return place === '' || place === type.group || place === type.version || place === `${type.version}.${type.group}`
}

function unknownKind(text: string, names: readonly string[]): UsageError {
  const near = closest(text.toLowerCase(), names)
  return new UsageError(
    `the server has no kind "${text}"`,
    near === undefined ? {} : { fix: `did you mean "${near}"?` },
  )
}

import { apiVersionOf, type KubeObject, type ResourceType } from '../../../kube/resources/meta.ts'
import type { NodeDeps } from '../../driver.ts'

/** What is wrong with objects of the cluster, in the log and as events: once each, not at each change of anything. */
export class Reports {
  readonly #deps: Pick<NodeDeps, 'log' | 'events' | 'nodeName'>
  readonly #reported = new Set<string>()
  #standing: readonly string[] = []

  constructor(deps: Pick<NodeDeps, 'log' | 'events' | 'nodeName'>) {
    this.#deps = deps
  }

  /** Again when the object has changed. */
  ofObject({ type, object }: { type: ResourceType; object: KubeObject }, reason: string, message: string): void {
    const key = `${object.metadata.uid} ${object.metadata.generation} ${message}`
    if (this.#reported.has(key)) return
    this.#reported.add(key)
    this.#deps.log.warn({ kind: type.kind, object: object.metadata.name }, message)
    this.#deps.events.event({ apiVersion: apiVersionOf(type), kind: type.kind, ...object }, 'Warning', reason, message)
  }

  ofNode(reason: string, message: string): void {
    const about = { apiVersion: 'v1', kind: 'Node', metadata: { name: this.#deps.nodeName } }
    this.#deps.log.warn({ reason }, message)
    this.#deps.events.event(about, 'Warning', reason, message)
  }

  /** Everything that is wrong with this node's BGP now: again when it was away in between. */
  ofTopology(messages: readonly string[]): void {
    for (const message of messages) if (!this.#standing.includes(message)) this.ofNode('BGPTopology', message)
    this.#standing = messages
  }
}

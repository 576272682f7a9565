import type { NodeResource } from '../../../kube/resources/core.ts'
import type { BGPConfiguration } from '../resources.ts'
import { type BgpNode, bgpNodeOf } from './bgp-node.ts'

/** Nodes as BGP sees them, each read once for each object that a cache has of it: of many nodes few change at a time. */
export class BgpNodes {
  #known = new WeakMap<NodeResource, BgpNode>()
  #configurations: readonly BGPConfiguration[] | undefined

  /** `configurations` is the same array as long as none of them has changed. */
  of(nodes: readonly NodeResource[], configurations: readonly BGPConfiguration[]): BgpNode[] {
    if (configurations !== this.#configurations) this.#known = new WeakMap()
    this.#configurations = configurations
    return nodes.map((node) => {
      const known = this.#known.get(node)
      if (known !== undefined) return known
      const read = bgpNodeOf(node, configurations)
      this.#known.set(node, read)
      return read
    })
  }
}

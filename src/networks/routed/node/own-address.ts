import type { NodeDeps } from '../../driver.ts'
import { nodeAnnotations } from '../virtual-node.ts'
import { ensureNodeAddress } from './node-address.ts'

/** Keeps the Node's annotation at the address that this node speaks BGP with. */
export class OwnAddress {
  readonly #deps: NodeDeps
  readonly #method: string
  #mtuBytes: number | undefined

  constructor(deps: NodeDeps, method: string) {
    this.#deps = deps
    this.#method = method
  }

  /** Of the interface that holds the address; undefined while none does. */
  get mtuBytes(): number | undefined {
    return this.#mtuBytes
  }

  async detect(signal: AbortSignal): Promise<void> {
    this.#mtuBytes = (await ensureNodeAddress(this.#deps, this.#method, signal)).mtuBytes
  }

  /** Somebody has removed the annotation, or made the Node anew. */
  async syncMissing(): Promise<void> {
    const node = this.#deps.nodes.get(this.#deps.nodeName)
    if (node === undefined || node.metadata.annotations?.[nodeAnnotations.ipv4Address] !== undefined) return
    await this.detect(AbortSignal.timeout(10_000))
  }
}

import type { NodeDeps } from '../../driver.ts'
import type { RoutedSettings } from '../config.ts'
import { annotationOf, type DetectionMethod, ensureNodeAddress, type NodeAddress } from './node-address.ts'

/** Keeps the Node's annotations at the addresses that this node speaks BGP with, one a family. */
export class OwnAddress {
  readonly #deps: NodeDeps
  readonly #methods: readonly DetectionMethod[]
  #mtuBytes: number | undefined

  constructor(deps: NodeDeps, settings: RoutedSettings) {
    this.#deps = deps
    this.#methods = detectionMethods(settings)
  }

  /** Of the interface that holds the address; undefined while none does. */
  get mtuBytes(): number | undefined {
    return this.#mtuBytes
  }

  async detect(signal: AbortSignal): Promise<void> {
    const found: NodeAddress[] = []
    for (const how of this.#methods) found.push(await ensureNodeAddress(this.#deps, how, signal))
    this.#mtuBytes = found.find(({ mtuBytes }) => mtuBytes !== undefined)?.mtuBytes
  }

  /** Somebody has removed an annotation, or made the Node anew. */
  async syncMissing(): Promise<void> {
    const annotations = this.#deps.nodes.get(this.#deps.nodeName)?.metadata.annotations
    const isMissing = this.#methods.some(({ family }) => annotations?.[annotationOf[family]] === undefined)
    if (this.#deps.nodes.get(this.#deps.nodeName) === undefined || !isMissing) return
    await this.detect(AbortSignal.timeout(10_000))
  }
}

/** IPv6 where the settings have a method or a pool of it; `none` turns a family off. */
export function detectionMethods(settings: RoutedSettings): DetectionMethod[] {
  const { ipAutodetectionMethod, ip6AutodetectionMethod, ipv6PoolCidr } = settings
  const six = ip6AutodetectionMethod ?? (ipv6PoolCidr === undefined ? 'none' : ipAutodetectionMethod)
  const methods: DetectionMethod[] = [
    { family: 4, method: ipAutodetectionMethod },
    { family: 6, method: six },
  ]
  return methods.filter(({ method }) => method !== 'none')
}

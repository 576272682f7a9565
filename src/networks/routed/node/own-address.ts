import type { NodeDeps } from '../../driver.ts'
import type { RoutedSettings } from '../config.ts'
import { annotationOf, type DetectionMethod, ensureNodeAddress, mtuOf, type NodeAddress } from './node-address.ts'

/** Keeps the Node's annotations at the addresses that this node speaks BGP with, one a family. */
export class OwnAddress {
  readonly #deps: NodeDeps
  readonly #methods: readonly DetectionMethod[]
  #found: NodeAddress | undefined

  constructor(deps: NodeDeps, settings: RoutedSettings) {
    this.#deps = deps
    this.#methods = detectionMethods(settings)
  }

  /** The interface that holds the address; undefined while none does. */
  get interfaceName(): string | undefined {
    return this.#found?.interfaceName
  }

  /** Of that interface. */
  get mtuBytes(): number | undefined {
    return this.#found?.mtuBytes
  }

  async detect(signal: AbortSignal): Promise<void> {
    const found: NodeAddress[] = []
    for (const how of this.#methods) found.push(await ensureNodeAddress(this.#deps, how, signal))
    this.#found = found.find(({ interfaceName }) => interfaceName !== undefined)
  }

  /** Somebody has removed an annotation, or made the Node anew, or changed the interface's MTU. */
  async sync(): Promise<void> {
    const node = this.#deps.nodes.get(this.#deps.nodeName)
    const annotations = node?.metadata.annotations
    const isMissing = this.#methods.some(({ family }) => annotations?.[annotationOf[family]] === undefined)
    if (node !== undefined && isMissing) await this.detect(AbortSignal.timeout(10_000))
    else if (this.#found?.interfaceName !== undefined) {
      const mtuBytes = await mtuOf(this.#deps.kernel, this.#found.interfaceName)
      this.#found = { ...this.#found, mtuBytes }
    }
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

import type { Family } from '../../../base/ip.ts'
import type { KernelWatch } from '../../../kernel/kernel.ts'
import type { NodeDeps } from '../../driver.ts'
import type { RoutedSettings } from '../config.ts'
import { isGlobalUnicast } from './detect-address.ts'
import { hostInterfacePrefix } from './names.ts'
import { annotationOf, type DetectionMethod, ensureNodeAddress, mtuOf, type NodeAddress } from './node-address.ts'
import type { Reports } from './reports.ts'

export interface OwnAddressOptions {
  readonly reports: Pick<Reports, 'ofNode'>
  /** Called when an address of the host has come or gone. */
  readonly onChange: () => void
}

/** Keeps the Node's annotations at the addresses that this node speaks BGP with, one a family. */
export class OwnAddress {
  readonly #deps: NodeDeps
  readonly #options: OwnAddressOptions
  readonly #methods: readonly DetectionMethod[]
  #found: ReadonlyMap<Family, NodeAddress> = new Map()
  #doubts: readonly string[] = []
  #watch: KernelWatch | undefined
  /** An address has come or gone since the last look. */
  #isStale = false

  constructor(deps: NodeDeps, settings: RoutedSettings, options: OwnAddressOptions) {
    this.#deps = deps
    this.#options = options
    this.#methods = detectionMethods(settings)
  }

  /** The interface that holds the address, of the first family of which one does; undefined while none does. */
  get interfaceName(): string | undefined {
    return this.#first?.interfaceName
  }

  /** Of that interface. */
  get mtuBytes(): number | undefined {
    return this.#first?.mtuBytes
  }

  /** The interface that holds the address of a family, and its MTU, as far as they are known. */
  interfaceOf(family: Family): { readonly name: string | undefined; readonly mtuBytes: number | undefined } {
    const found = this.#found.get(family)
    return { name: found?.interfaceName, mtuBytes: found?.mtuBytes }
  }

  get #first(): NodeAddress | undefined {
    return [...this.#found.values()].find(({ interfaceName }) => interfaceName !== undefined)
  }

  /** Looks, and looks again whenever an address comes or goes. Throws TwinlaneError. */
  async start(signal: AbortSignal): Promise<void> {
    const stale = (): void => {
      this.#isStale = true
      this.#options.onChange()
    }
    this.#watch = this.#deps.kernel.watch(
      undefined,
      (event) => {
        if (event.kind === 'address' && isGlobalUnicast(event.object.address)) stale()
        // Its MTU may be another now.
        if (event.kind === 'link' && this.#isOn(event.object.name)) this.#options.onChange()
      },
      stale,
      { devices: ['*'], except: [`${hostInterfacePrefix}*`], kinds: ['address', 'link'] },
    )
    await this.#watch.ready
    await this.#detect({ keepsStored: false }, signal)
  }

  async stop(): Promise<void> {
    await this.#watch?.close()
  }

  /**
   * Somebody has removed an annotation, made the Node anew, or changed addresses or the MTU. An address that is still
   * there stays: another that comes (a virtual one, say) must not end all sessions.
   */
  async sync(): Promise<void> {
    const node = this.#deps.nodes.get(this.#deps.nodeName)
    const annotations = node?.metadata.annotations
    const isMissing = this.#methods.some(({ family }) => annotations?.[annotationOf[family]] === undefined)
    if (node !== undefined && (isMissing || this.#isStale)) {
      await this.#lookAgain()
    } else {
      this.#found = new Map(await Promise.all([...this.#found].map((each) => this.#withMtu(each))))
    }
  }

  #isOn(device: string): boolean {
    return [...this.#found.values()].some(({ interfaceName }) => interfaceName === device)
  }

  async #withMtu([family, found]: [Family, NodeAddress]): Promise<[Family, NodeAddress]> {
    if (found.interfaceName === undefined) return [family, found]
    return [family, { ...found, mtuBytes: await mtuOf(this.#deps.kernel, found.interfaceName) }]
  }

  async #lookAgain(): Promise<void> {
    // Before the look: what comes meanwhile is looked at next time.
    this.#isStale = false
    try {
      await this.#detect({ keepsStored: true }, AbortSignal.timeout(10_000))
    } catch (error) {
      this.#isStale = true
      throw error
    }
  }

  async #detect({ keepsStored }: { keepsStored: boolean }, signal: AbortSignal): Promise<void> {
    const found = new Map<Family, NodeAddress>()
    for (const how of this.#methods) {
      found.set(how.family, await ensureNodeAddress(this.#deps, { ...how, keepsStored }, signal))
    }
    this.#found = found
    this.#report([...found.values()].flatMap(({ doubts }) => doubts))
  }

  /** Each once, and again when it was away in between. */
  #report(doubts: readonly string[]): void {
    for (const doubt of doubts) {
      if (!this.#doubts.includes(doubt)) this.#options.reports.ofNode('NodeAddressInDoubt', doubt)
    }
    this.#doubts = doubts
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

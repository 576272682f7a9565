import { describeError } from '../../../../base/errors.ts'
import type { KernelEvent, KernelWatch } from '../../../../kernel/kernel.ts'
import { tunnelRouteProtocol } from '../../tunnels/build-tunnels.ts'
import { tunnelDevices } from '../../tunnels/encapsulation.ts'
import { nftTable } from '../build-nft.ts'
import type { NodeContext } from '../context.ts'
import { hostInterfacePrefix } from '../names.ts'
import { senderTable } from '../senders/elements.ts'
import { HostRepair } from './host-repair.ts'
import type { Repairs } from './repairs.ts'
import { removeStrays } from './strays.ts'

export interface NodeRepairOptions {
  readonly context: NodeContext
  readonly repairs: Repairs
  /** The interface that holds the node's address. */
  readonly nic: () => string | undefined
  readonly onTunnels: () => void
  readonly onNft: () => void
  readonly onSenders: () => void
  /** The whole host has been told not to forward. */
  readonly onForwarding: () => void
  /** The NIC's MTU may have changed. */
  readonly onNic: () => void
}

/** For what the kernel does not tell of: settings without events, and what a watch has missed. */
const fullLookMs = 5 * 60_000

/**
 * Hears from the kernel when somebody changes what is ours, and has it put right at once: host ends of pods here,
 * tables and tunnels by the parts that made them.
 */
export class NodeRepair {
  readonly #options: NodeRepairOptions
  readonly #hosts: HostRepair
  #watches: KernelWatch[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(options: NodeRepairOptions) {
    this.#options = options
    this.#hosts = new HostRepair(options.context, options.repairs)
  }

  /** Resolves when every later change will be seen. Call before what is there is brought in order. */
  async start(): Promise<void> {
    const { kernel } = this.#options.context.deps
    this.#watches = [
      this.#watchHosts(),
      this.#watchForwarding(),
      this.#watchTunnels(),
      ...this.#watchNic(),
      this.#watchNft(),
    ]
    await Promise.all(this.#watches.map(({ ready }) => ready))
    this.#hosts.know(await kernel.links(undefined))
    this.#timer = setInterval(() => void this.#lookAtAll(), fullLookMs)
    this.#timer.unref()
  }

  removeStrays(): Promise<void> {
    return removeStrays(this.#options.context, this.#options.repairs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all([...this.#watches.map((watch) => watch.close()), this.#hosts.stop()])
  }

  #watchHosts(): KernelWatch {
    const kinds = ['link', 'route', 'address', 'settings'] as const
    return this.#watch([`${hostInterfacePrefix}*`], kinds, (event) => this.#hosts.note(event))
  }

  #watchForwarding(): KernelWatch {
    return this.#watch(['all'], ['settings'], (event) => {
      if (event.kind === 'settings' && event.object.isForwarding === false) this.#options.onForwarding()
    })
  }

  #watchTunnels(): KernelWatch {
    const kinds = ['link', 'address', 'route', 'neighbor', 'fdb'] as const
    return this.#watch(Object.values(tunnelDevices), kinds, this.#options.onTunnels)
  }

  /** Routes to nodes of the same subnet lead through the NIC; those of BIRD are none of ours. */
  #watchNic(): KernelWatch[] {
    const nic = this.#options.nic()
    if (nic === undefined) return []
    const { onTunnels, onNic } = this.#options
    const hear = (event: KernelEvent): void => {
      if (event.kind === 'link') onNic()
      else if (event.kind === 'route' && event.object.protocol === tunnelRouteProtocol) onTunnels()
    }
    return [this.#watch([nic], ['link', 'route'], hear)]
  }

  #watchNft(): KernelWatch {
    const { context, onNft, onSenders } = this.#options
    const hear = ({ family, table }: { family: string; table: string }): void => {
      if (`${family} ${table}` === nftTable) onNft()
      else if (table === senderTable) onSenders()
    }
    return context.deps.kernel.watchNft(undefined, hear, () => {
      onNft()
      onSenders()
    })
  }

  #watch(
    devices: readonly string[],
    kinds: readonly KernelEvent['kind'][],
    hear: (event: KernelEvent) => void,
  ): KernelWatch {
    const { kernel } = this.#options.context.deps
    return kernel.watch(undefined, hear, () => void this.#lookAtAll(), { devices, kinds })
  }

  /** Nobody waits for it: pods that come and go are first. */
  async #lookAtAll(): Promise<void> {
    const { context, onTunnels, onNft, onSenders, onForwarding, onNic } = this.#options
    try {
      await context.deps.calm.wait({ settleMs: 25 })
      for (const look of [onTunnels, onNft, onSenders, onForwarding, onNic]) look()
      await this.#hosts.suspectAll()
      await this.removeStrays()
    } catch (error) {
      context.deps.log.warn({ error: describeError(error) }, 'could not look at everything on the node')
    }
  }
}

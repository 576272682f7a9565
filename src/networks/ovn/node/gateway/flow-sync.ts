import { dirname, join } from 'node:path'
import { defer, withDeadline } from '../../../../base/clock.ts'
import { exec } from '../../../../base/exec.ts'
import { waitFor } from '../../../../base/observable.ts'
import { patchPort } from '../../topology/names.ts'
import type { NodeContext } from '../context.ts'
import { watchSwitch } from '../openflow-session.ts'
import type { GatewayBridge } from './bridge.ts'
import { buildGatewayFlows } from './flows.ts'

const sessionTimeoutMs = 20_000

interface SwitchWatch {
  readonly stop: AbortController
  /** Resolves at the first session. */
  readonly opened: Promise<void>
  readonly ended: Promise<void>
}

/**
 * Installs the flows of the gateway bridge when they differ from what was installed last, or were lost, which an
 * OpenFlow session to the bridge tells: it ends with the switch.
 */
export class GatewayFlowSync {
  readonly #context: NodeContext
  readonly #onLost: () => void
  #watch: SwitchWatch | undefined
  #installed: string | undefined

  /** `onLost` is called when the switch has started again. */
  constructor(context: NodeContext, onLost: () => void) {
    this.#context = context
    this.#onLost = onLost
  }

  async install(gateway: GatewayBridge, signal: AbortSignal): Promise<void> {
    this.#watch ??= this.#startWatch(gateway.bridge)
    // What is installed next goes into the switch that is watched.
    const what = `an OpenFlow session of ${gateway.bridge}`
    await withDeadline(this.#watch.opened, { what, timeoutMs: sessionTimeoutMs, signal })
    await this.#sync(gateway, signal)
  }

  /** The bridge is gone, or the agent stops. */
  async stop(): Promise<void> {
    const watch = this.#watch
    this.#watch = undefined
    this.#installed = undefined
    watch?.stop.abort()
    await watch?.ended
  }

  #startWatch(bridge: string): SwitchWatch {
    const stop = new AbortController()
    const opened = defer()
    let isFirst = true
    const onSession = (): void => {
      this.#installed = undefined
      opened.resolve()
      if (!isFirst) this.#onLost()
      isFirst = false
    }
    const ended = watchSwitch(managementSocket(this.#context, bridge), onSession, stop.signal)
    return { stop, ended, opened: opened.promise }
  }

  async #sync(gateway: GatewayBridge, signal: AbortSignal): Promise<void> {
    const { local } = this.#context
    const uplink = await waitFor(local.client, () => local.ofport(gateway.uplink), {
      what: `ovs-vswitchd to take up ${gateway.uplink}`,
      timeoutMs: 20_000,
      signal,
    })
    const flows = this.#build(gateway, uplink)
    if (flows === this.#installed) return
    const target = `unix:${managementSocket(this.#context, gateway.bridge)}`
    await exec('ovs-ofctl', ['--bundle', 'replace-flows', target, '-'], { input: flows, timeoutMs: 10_000, signal })
    this.#installed = flows
    this.#context.log.info(
      { bridge: gateway.bridge, hasPatch: this.#patch(gateway) !== undefined },
      'gateway flows installed',
    )
  }

  #patch({ bridge }: GatewayBridge): number | undefined {
    return this.#context.local.ofport(patchPort(bridge, this.#context.nodeName))
  }

  #build(gateway: GatewayBridge, uplink: number): string {
    const { settings } = this.#context
    const { mac } = gateway
    const patch = this.#patch(gateway)
    return buildGatewayFlows({ mac, uplink, patch, encapType: settings.encapType, netCidrs: settings.netCidrs })
  }
}

/** Where a bridge takes OpenFlow sessions: beside the database's socket. */
export function managementSocket({ paths }: NodeContext, bridge: string): string {
  return join(dirname(paths.ovsdbSocket), `${bridge}.mgmt`)
}

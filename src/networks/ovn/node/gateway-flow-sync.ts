import { dirname, join } from 'node:path'
import { exec } from '../../../base/exec.ts'
import { waitFor } from '../../../base/observable.ts'
import { patchPort } from '../topology/names.ts'
import type { NodeContext } from './context.ts'
import type { GatewayBridge } from './gateway-bridge.ts'
import { buildGatewayFlows } from './gateway-flows.ts'

/** Installs the flows of the gateway bridge when they differ from what was installed last, or were lost. */
export class GatewayFlowSync {
  readonly #context: NodeContext
  #installed: string | undefined

  constructor(context: NodeContext) {
    this.#context = context
  }

  /** The switch has started again: whatever was installed is gone. */
  forget(): void {
    this.#installed = undefined
  }

  async sync(gateway: GatewayBridge, signal: AbortSignal): Promise<void> {
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

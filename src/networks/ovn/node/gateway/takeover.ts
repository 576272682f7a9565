import { ConfigError, describeError } from '../../../../base/errors.ts'
import type { Family } from '../../../../base/ip.ts'
import { runAll } from '../../../../base/undo.ts'
import type { Route } from '../../../../kernel/kernel.ts'
import { nodes } from '../../../../kube/resources/core.ts'
import { familiesOf, gatewayBridge, ofFamily } from '../../topology/names.ts'
import type { NodeContext } from '../context.ts'
import { closeFence, openFence } from '../fence.ts'
import { ensureBridge, ensureUplink, type GatewayBridge, removeBridge } from './bridge.ts'
import { moveOperations, prepareOperations } from './move.ts'
import { belongingsOf, follow, freshState, type NicState, NicStates, readBootId } from './nic-state.ts'
import { measureReach, requireReach } from './reach.ts'
import { Reverts, TakeoverRevertedError } from './reverts.ts'

/** How long the host may be without its API server or its next hop after the move before everything is put back. */
export const confirmTimeoutMs = 10_000

/**
 * Moves a NIC into its bridge: MAC, MTU, addresses and routes go to the bridge's own port. The host is reachable all
 * the while. The move counts only when the host was seen to reach its API server and its next hop, as before; else, and
 * when any step fails, everything is put back.
 */
export class GatewayTakeover {
  readonly #context: NodeContext
  readonly #states: NicStates
  readonly #reverts: Reverts

  constructor(context: NodeContext) {
    this.#context = context
    this.#states = new NicStates(context.paths.stateFolder)
    this.#reverts = new Reverts(context.paths.stateFolder)
  }

  /**
   * Done again it only completes what lacks. `installFlows` is part of the move: the host is reached through them.
   * Throws ConfigError when the NIC is not there or has no address, TakeoverRevertedError after a move that failed.
   */
  async ensure(
    uplink: string,
    installFlows: (gateway: GatewayBridge) => Promise<void>,
    signal: AbortSignal,
  ): Promise<GatewayBridge> {
    await this.#reverts.requireNone(uplink)
    const state = await this.#readState(uplink, signal)
    const gateway = this.#describe(uplink, state)
    try {
      await this.#move(uplink, state, signal)
      await installFlows(gateway)
      if (!state.isConfirmed) await this.#confirm(gateway, state, signal)
    } catch (error) {
      if (!state.isConfirmed) await this.restore(uplink)
      throw error
    }
    return gateway
  }

  /** Puts back every NIC but this one that was ever taken over: the settings name another, or none. */
  async restoreOthers(uplink: string | undefined): Promise<void> {
    for (const other of await this.#states.uplinks()) if (other !== uplink) await this.restore(other)
  }

  /** Back to how the host was: nothing there is success, and every step is tried whatever happened to the others. */
  async restore(uplink: string): Promise<void> {
    const kept = await this.#states.find(uplink)
    if (kept === undefined) return
    const bridge = gatewayBridge(uplink)
    const { kernel, log } = this.#context
    const [onNic, onBridge] = await Promise.all([belongingsOf(kernel, uplink), belongingsOf(kernel, bridge)])
    const state = follow(kept, onNic, onBridge)
    await runAll(`putting ${uplink} back`, [
      () => openFence(kernel, uplink),
      () => kernel.apply(undefined, moveOperations(state, bridge, uplink)),
      () => kernel.apply(undefined, [{ op: 'checksumOffload', device: uplink, isOn: kept.hasChecksumOffload }]),
      () => removeBridge(this.#context, uplink),
    ])
    await this.#states.forget(uplink)
    log.info({ uplink, bridge }, 'gateway interface put back')
  }

  async #readState(uplink: string, signal: AbortSignal): Promise<NicState> {
    const { kernel } = this.#context
    const link = await kernel.findLink(undefined, uplink)
    if (link === undefined) {
      throw new ConfigError('networks.ovn.gatewayInterface', `this node has no interface ${uplink}`)
    }
    const kept = await this.#states.find(uplink)
    const isOfThisBoot = kept?.bootId === (await readBootId())
    const onNic = await belongingsOf(kernel, uplink)
    const state =
      kept !== undefined && isOfThisBoot
        ? follow(kept, onNic, await belongingsOf(kernel, gatewayBridge(uplink)))
        : await freshState(kernel, link, await this.#measure(uplink, signal))
    await this.#states.write(uplink, state)
    return state
  }

  async #measure(uplink: string, signal: AbortSignal): ReturnType<typeof measureReach> {
    const { routes } = await belongingsOf(this.#context.kernel, uplink)
    return await measureReach(this.#context, { device: uplink, nextHop: this.#nextHop(routes) }, signal)
  }

  async #move(uplink: string, state: NicState, signal: AbortSignal): Promise<void> {
    const { kernel, local, log } = this.#context
    const bridge = gatewayBridge(uplink)
    if (local.bridge(bridge) === undefined) log.info({ uplink, bridge }, 'gateway interface goes into its bridge')
    await ensureBridge(this.#context, { uplink, mac: state.mac }, signal)
    await kernel.apply(undefined, prepareOperations(state, bridge))
    if (local.datapathType === 'netdev') {
      await kernel.apply(undefined, [{ op: 'checksumOffload', device: uplink, isOn: false }])
    }
    await ensureUplink(this.#context, uplink, signal)
    await kernel.apply(undefined, moveOperations(state, uplink, bridge))
    // From here on the host's stack hears the wire through the bridge only.
    if (local.datapathType === 'netdev') await closeFence(kernel, uplink)
  }

  async #confirm(gateway: GatewayBridge, state: NicState, signal: AbortSignal): Promise<void> {
    const {
      uplink,
      bridge,
      nextHops: [nextHop],
    } = gateway
    try {
      const { reach } = state
      await requireReach(this.#context, { device: bridge, nextHop, reach, timeoutMs: confirmTimeoutMs, signal })
    } catch (error) {
      signal.throwIfAborted()
      await this.#revert(uplink, describeError(error))
      throw new TakeoverRevertedError(`the takeover of ${uplink} was taken back: ${describeError(error)}`, {
        cause: error,
      })
    }
    await this.#states.write(uplink, { ...state, isConfirmed: true })
    await this.#reverts.forget(uplink)
    this.#context.log.info({ uplink, bridge, ...state.reach }, 'gateway interface taken over')
  }

  async #revert(uplink: string, reason: string): Promise<void> {
    const { log, events, nodeName, nodes: known } = this.#context
    await this.#reverts.add(uplink, reason)
    log.error({ uplink, reason }, 'the host lost its network with the gateway interface in its bridge: putting it back')
    const self = known.get(nodeName)
    if (self === undefined) return
    const about = { apiVersion: 'v1', kind: nodes.kind, metadata: self.metadata }
    events.event(about, 'Warning', 'GatewayTakeoverReverted', `${uplink} was put back: ${reason}`)
  }

  #describe(uplink: string, state: NicState): GatewayBridge {
    const families = familiesOf(this.#context.settings.netCidrs)
    const addressed = families.flatMap((family) => {
      const first = state.addresses.find((address) => address.family === family)
      return first === undefined ? [] : [{ family, text: `${first.address}/${first.prefixLength}` }]
    })
    if (addressed.length === 0) {
      const what = families.map((family) => `IPv${family}`).join(' or ')
      throw new ConfigError('networks.ovn.gatewayInterface', `${uplink} has no ${what} address`)
    }
    const complete = addressed.flatMap(({ family, text }) => {
      const nextHop = this.#nextHop(state.routes, family)
      return nextHop === undefined ? [] : [{ text, nextHop }]
    })
    this.#requireFamilies(uplink, { families, complete: complete.length })
    return {
      uplink,
      bridge: gatewayBridge(uplink),
      mac: state.mac,
      addresses: complete.map(({ text }) => text),
      nextHops: complete.map(({ nextHop }) => nextHop),
    }
  }

  /** In shared mode a family of pods without a way out would be cut off; in local mode the host knows one. */
  #requireFamilies(uplink: string, has: { families: readonly Family[]; complete: number }): void {
    const needed = this.#context.settings.gatewayMode === 'shared' ? has.families.length : 1
    if (has.complete >= needed) return
    throw new ConfigError(
      'networks.ovn.gatewayNextHop',
      `is needed: ${uplink} has no ${needed > 1 ? 'address and ' : ''}default route of ${needed > 1 ? 'both families' : 'its own'} to take it from`,
    )
  }

  /** The next hop of a family; of the first that has one where none is named. */
  #nextHop(routes: NicState['routes'], family?: Family): string | undefined {
    if (family === undefined) {
      const known = familiesOf(this.#context.settings.netCidrs)
      return known.map((each) => this.#nextHop(routes, each)).find((nextHop) => nextHop !== undefined)
    }
    const isDefault = (route: Route): boolean =>
      route.family === family && /^(0\.0\.0\.0|::)\/0$/.test(route.destination)
    return ofFamily(this.#context.settings.gatewayNextHops, family) ?? routes.find(isDefault)?.gateway
  }
}

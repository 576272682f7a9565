import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../../../base/errors.ts'
import { findFile, writeFileAtomic } from '../../../base/file.ts'
import { parseInterfaceAddress } from '../../../base/ip.ts'
import { waitFor } from '../../../base/observable.ts'
import { UndoStack } from '../../../base/undo.ts'
import type { Address, Link, Operation, Route } from '../../../kernel/kernel.ts'
import { gatewayBridge } from '../topology/names.ts'
import type { NodeContext } from './context.ts'
import { closeFence, openFence } from './fence.ts'

/** The bridge that holds the gateway interface, with what the host has on it. */
export interface GatewayBridge {
  readonly uplink: string
  readonly bridge: string
  readonly mac: string
  /** First IPv4 address, e.g. `192.168.200.10/24`. */
  readonly address: string
  readonly nextHop: string
}

/** What the NIC had before the takeover. Kept on disk first: a kill in the middle of the move loses nothing. */
interface NicState {
  /** After another boot only what the host's own configuration has set up counts. */
  readonly bootId: string
  readonly mtuBytes: number
  readonly mac: string
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
}

/**
 * Moves the NIC into its bridge, once: MAC, MTU, addresses and routes go to the bridge's own port, routes last. When a
 * step fails everything is put back. Done again it only completes what lacks. Throws ConfigError when the NIC is not
 * there or has no address.
 */
export async function ensureGatewayBridge(
  context: NodeContext,
  uplink: string,
  signal: AbortSignal,
): Promise<GatewayBridge> {
  const bridge = gatewayBridge(uplink)
  const state = await readState(context, uplink)
  const facts = describe(context, { uplink, bridge, state })
  const undo = new UndoStack()
  try {
    await ensurePorts(context, { uplink, bridge, state, undo, signal })
    await fenceOff(context, { uplink, bridge, state, undo })
    await moveAddresses(context, { uplink, bridge, state, undo })
  } catch (error) {
    throw await undo.unwind(error)
  }
  return facts
}

interface Move {
  readonly uplink: string
  readonly bridge: string
  readonly state: NicState
  readonly undo: UndoStack
}

async function readState({ kernel, paths }: NodeContext, uplink: string): Promise<NicState> {
  const link = await kernel.findLink(undefined, uplink)
  if (link === undefined) {
    throw new ConfigError('networks.ovn.gatewayInterface', `this node has no interface ${uplink}`)
  }
  const path = join(paths.stateFolder, 'ovn', `gateway-${uplink}.json`)
  const kept = JSON.parse((await findFile(path)) ?? 'null') as NicState | null
  const state = merge(kept, await nicState(kernel, link))
  if (JSON.stringify(state) !== JSON.stringify(kept)) {
    await mkdir(join(paths.stateFolder, 'ovn'), { recursive: true })
    await writeFileAtomic(path, `${JSON.stringify(state)}\n`)
  }
  return state
}

async function nicState(kernel: NodeContext['kernel'], link: Link): Promise<NicState> {
  const addresses = (await kernel.addresses(undefined, link.name)).filter(isMovable)
  const routes = (await kernel.routes(undefined, { device: link.name })).filter(isMovableRoute)
  const bootId = (await findFile('/proc/sys/kernel/random/boot_id')) ?? ''
  return { bootId, mtuBytes: link.mtuBytes, mac: link.mac, addresses, routes }
}

/** What the NIC has, and what it had before a move of this boot. */
function merge(kept: NicState | null, now: NicState): NicState {
  if (kept === null || kept.bootId !== now.bootId) return now
  return {
    ...now,
    addresses: union(now.addresses, kept.addresses, ({ address }) => address),
    routes: union(now.routes, kept.routes, ({ destination, gateway, metric }) => `${destination} ${gateway} ${metric}`),
  }
}

function union<T>(first: readonly T[], second: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map([...second, ...first].map((item) => [keyOf(item), item])).values()]
}

/** Link-local addresses belong to the device that has them. */
function isMovable(address: Address): boolean {
  return address.scope === undefined || address.scope === 0
}

/** Routes of the kernel itself (RTPROT_KERNEL) come with the addresses. */
function isMovableRoute(route: Route): boolean {
  return route.protocol !== 2 && (route.type ?? 'unicast') === 'unicast' && !route.destination.startsWith('fe80:')
}

async function ensurePorts(context: NodeContext, move: Move & { signal: AbortSignal }): Promise<void> {
  const { local } = context
  const { uplink, bridge, undo, signal } = move
  const isNew = local.bridge(bridge) === undefined
  if (isNew || local.port(uplink) === undefined) await insertBridge(context, move)
  if (isNew) undo.push('the bridge', () => removeBridge(context, bridge))
  if (isNew) context.log.info({ uplink, bridge }, 'gateway interface goes into its bridge')
  await local.applied(signal)
  await waitFor(local.client, () => local.ofport(uplink), {
    what: `ovs-vswitchd to take up ${uplink}`,
    timeoutMs: 20_000,
    signal,
    detail: () => local.interface(uplink)?.error,
  })
}

/** From here on the host's stack no longer hears the NIC, so everything must be on the bridge right after. */
async function fenceOff({ kernel, local }: NodeContext, { uplink, undo }: Move): Promise<void> {
  await kernel.apply(undefined, [{ op: 'setLink', name: uplink, isUp: true }])
  if (local.datapathType !== 'netdev') return
  await kernel.apply(undefined, [{ op: 'checksumOffload', device: uplink, isOn: false }])
  undo.push('the fence', () => openFence(kernel, uplink))
  await closeFence(kernel, uplink)
}

/** One transaction: a bridge without its NIC would leave the host cut off for no reason. */
async function insertBridge({ local }: NodeContext, { uplink, bridge, state }: Move): Promise<void> {
  const existing = local.bridge(bridge)
  await local.transact((transaction) => {
    const nic = transaction.insert('Port', {
      name: uplink,
      other_config: { transient: 'true' },
      interfaces: [transaction.insert('Interface', { name: uplink })],
    })
    if (existing !== undefined) {
      transaction.mutate('Bridge', { _uuid: existing._uuid }, { ports: { insert: [nic] } })
      return
    }
    const own = transaction.insert('Port', {
      name: bridge,
      interfaces: [transaction.insert('Interface', { name: bridge, type: 'internal' })],
    })
    const row = transaction.insert('Bridge', {
      name: bridge,
      datapath_type: local.datapathType,
      fail_mode: 'standalone',
      other_config: { hwaddr: state.mac },
      external_ids: { 'bridge-id': bridge, 'bridge-uplink': uplink },
      ports: [own, nic],
    })
    transaction.mutate('Open_vSwitch', {}, { bridges: { insert: [row] } })
  })
}

async function removeBridge({ local }: NodeContext, bridge: string): Promise<void> {
  const row = local.bridge(bridge)
  if (row === undefined) return
  await local.transact((transaction) => transaction.mutate('Open_vSwitch', {}, { bridges: { delete: [row._uuid] } }))
}

async function moveAddresses({ kernel }: NodeContext, { uplink, bridge, state, undo }: Move): Promise<void> {
  undo.push('the move of addresses', () => kernel.apply(undefined, moveOperations(state, bridge, uplink)))
  await kernel.apply(undefined, moveOperations(state, uplink, bridge))
}

function moveOperations(state: NicState, from: string, to: string): Operation[] {
  const addresses = state.addresses.map(({ address, prefixLength, broadcast, scope }) => ({
    text: `${address}/${prefixLength}`,
    rest: { ...(broadcast === undefined ? {} : { broadcast }), ...(scope === undefined ? {} : { scope }) },
  }))
  const routes = [...state.routes].sort((a, b) => lengthOf(b) - lengthOf(a))
  return [
    { op: 'setLink', name: to, mtuBytes: state.mtuBytes, isUp: true },
    ...addresses.map(({ text }): Operation => ({ op: 'deleteAddress', device: from, address: text })),
    ...addresses.map(({ text, rest }): Operation => ({ op: 'ensureAddress', device: to, address: text, ...rest })),
    ...routes.map((route): Operation => ({ op: 'ensureRoute', route: { ...route, device: to } })),
  ]
}

/** Routes to other gateways' subnets come before those that need them, the default route last. */
function lengthOf(route: Route): number {
  return parseInterfaceAddress(route.destination).prefixLength
}

function describe({ settings }: NodeContext, { uplink, bridge, state }: Omit<Move, 'undo'>): GatewayBridge {
  const first = state.addresses.find(({ family }) => family === 4)
  if (first === undefined) {
    throw new ConfigError('networks.ovn.gatewayInterface', `${uplink} has no IPv4 address`)
  }
  const byRoute = state.routes.find(({ family, destination }) => family === 4 && destination === '0.0.0.0/0')?.gateway
  const nextHop = settings.gatewayNextHop ?? byRoute
  if (nextHop === undefined) {
    throw new ConfigError('networks.ovn.gatewayNextHop', `is needed: ${uplink} has no default route to take it from`)
  }
  return { uplink, bridge, mac: state.mac, address: `${first.address}/${first.prefixLength}`, nextHop }
}

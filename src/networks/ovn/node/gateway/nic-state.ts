import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findFile, writeFileAtomic } from '../../../../base/file.ts'
import type { Address, Kernel, Link, Route } from '../../../../kernel/kernel.ts'

/** What was in reach of the host before its NIC went into the bridge. */
export interface Reach {
  readonly hasApi: boolean
  /** Whether the next hop answered on the NIC. */
  readonly hasNextHop: boolean
}

/** What the NIC has of the host's network. Kept on disk from before the first step: a kill at any moment loses nothing. */
export interface NicState {
  /** After another boot only what the host's own configuration has set up counts. */
  readonly bootId: string
  readonly mtuBytes: number
  readonly mac: string
  readonly hasChecksumOffload: boolean
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  readonly reach: Reach
  /** The host was seen to reach after the move what it reached before. Until then a failure puts everything back. */
  readonly isConfirmed: boolean
}

/** What a device has that would move. */
export type Belongings = Pick<NicState, 'addresses' | 'routes'>

const prefix = 'gateway-'

/** The states of NICs, one file each. */
export class NicStates {
  readonly #folder: string

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'ovn')
  }

  /** NICs that were taken over. */
  async uplinks(): Promise<string[]> {
    const names = await readdir(this.#folder).catch(() => [])
    return names.flatMap((name) =>
      name.startsWith(prefix) && name.endsWith('.json') ? [name.slice(prefix.length, -5)] : [],
    )
  }

  async find(uplink: string): Promise<NicState | undefined> {
    const text = await findFile(this.#path(uplink))
    return text === undefined ? undefined : (JSON.parse(text) as NicState)
  }

  async write(uplink: string, state: NicState): Promise<void> {
    const text = `${JSON.stringify(state)}\n`
    if ((await findFile(this.#path(uplink))) === text) return
    await mkdir(this.#folder, { recursive: true })
    await writeFileAtomic(this.#path(uplink), text)
  }

  async forget(uplink: string): Promise<void> {
    await rm(this.#path(uplink), { force: true })
  }

  #path(uplink: string): string {
    return join(this.#folder, `${prefix}${uplink}.json`)
  }
}

/** Empty for a device that is not there. */
export async function belongingsOf(kernel: Kernel, device: string): Promise<Belongings> {
  if ((await kernel.findLink(undefined, device)) === undefined) return { addresses: [], routes: [] }
  return {
    addresses: (await kernel.addresses(undefined, device)).filter(isMovable),
    routes: (await kernel.routes(undefined, { device })).filter(isMovableRoute),
  }
}

export async function freshState(kernel: Kernel, link: Link, reach: Reach): Promise<NicState> {
  const hasChecksumOffload = await kernel.hasChecksumOffload(undefined, link.name)
  const bootId = await readBootId()
  const { mtuBytes, mac } = link
  const own = await belongingsOf(kernel, link.name)
  return { bootId, mtuBytes, mac, hasChecksumOffload, ...own, reach, isConfirmed: false }
}

export async function readBootId(): Promise<string> {
  return (await findFile('/proc/sys/kernel/random/boot_id')) ?? ''
}

/**
 * What shall be on the bridge: what the bridge has, or, when it has lost everything with its device, what was kept; and
 * what has come to the NIC since, such as another address by DHCP. In a move that is not over, what was kept counts too.
 */
export function follow(kept: NicState, nic: Belongings, bridge: Belongings): NicState {
  const isSettled = kept.isConfirmed && bridge.addresses.length > 0
  const base = isSettled ? bridge : kept
  return {
    ...kept,
    addresses: union(base.addresses, nic.addresses, ({ address }) => address),
    routes: union(base.routes, nic.routes, ({ destination, metric }) => `${destination} ${metric ?? 0}`),
  }
}

/** In the order of the first; equal ones are taken from the second, which is newer. */
function union<T>(first: readonly T[], second: readonly T[], keyOf: (item: T) => string): T[] {
  return [...new Map([...first, ...second].map((item) => [keyOf(item), item])).values()]
}

/** Link-local addresses belong to the device that has them. */
function isMovable(address: Address): boolean {
  return address.scope === undefined || address.scope === 0
}

/** RTPROT_KERNEL, whose routes come with the addresses, and routing daemons, which follow the device by themselves. */
const othersProtocols = new Set([2, 9, 11, 12, 13, 42, 186, 187, 188, 189, 192])

function isMovableRoute(route: Route): boolean {
  return (
    !othersProtocols.has(route.protocol ?? 3) &&
    (route.type ?? 'unicast') === 'unicast' &&
    route.nextHops === undefined &&
    !route.destination.startsWith('fe80:')
  )
}

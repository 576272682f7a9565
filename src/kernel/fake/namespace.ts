import { KernelError } from '../errors.ts'
import type { Address, FdbEntry, KernelEvent, Link, Neighbor, NftChange, Route, Rule } from '../kernel.ts'

/** A device of the fake. Its peer may be in another namespace. */
export interface FakeLink {
  index: number
  name: string
  kind: string | undefined
  mac: string
  mtuBytes: number
  isUp: boolean
  group: number
  alias: string | undefined
  masterIndex: number | undefined
  peer: { netns: FakeNamespace; link: FakeLink } | undefined
  hasChecksumOffload: boolean
  /** VNI, port and local address of a VXLAN device. */
  vxlan: string | undefined
}

/** The rules that every namespace starts with. */
const FIRST_RULES: readonly Rule[] = [
  { family: 4, priority: 0, table: 255, protocol: 2 },
  { family: 4, priority: 32766, table: 254, protocol: 2 },
  { family: 4, priority: 32767, table: 253, protocol: 2 },
  { family: 6, priority: 0, table: 255, protocol: 2 },
  { family: 6, priority: 32766, table: 254, protocol: 2 },
]

let lastMac = 0

/** One network namespace in memory. */
export class FakeNamespace {
  readonly links = new Map<string, FakeLink>()
  readonly sysctls = new Map<string, string>()
  readonly nftCommands: string[] = []
  addresses: Address[] = []
  routes: Route[] = []
  rules: Rule[] = [...FIRST_RULES]
  neighbors: Neighbor[] = []
  fdb: FdbEntry[] = []
  readonly nftListeners = new Set<(change: NftChange) => void>()
  readonly listeners = new Set<(event: KernelEvent) => void>()
  #lastIndex = 0

  constructor() {
    this.addLink({ name: 'lo', mac: '00:00:00:00:00:00', mtuBytes: 65536 })
  }

  addLink(fields: Partial<FakeLink> & { name: string }): FakeLink {
    const link: FakeLink = {
      index: ++this.#lastIndex,
      kind: undefined,
      mac: fields.mac ?? nextMac(),
      mtuBytes: fields.mtuBytes ?? 1500,
      isUp: false,
      group: 0,
      alias: undefined,
      masterIndex: undefined,
      peer: undefined,
      hasChecksumOffload: true,
      vxlan: undefined,
      ...fields,
    }
    this.links.set(link.name, link)
    this.emit({ kind: 'link', action: 'new', object: reportLink(link) })
    return link
  }

  /** Takes over a link of another namespace under a new index. */
  adoptLink(link: FakeLink): void {
    link.index = ++this.#lastIndex
    this.links.set(link.name, link)
  }

  /** Throws KernelError ENODEV. */
  getLink(name: string): FakeLink {
    const link = this.links.get(name)
    if (link === undefined) throw new KernelError(`find ${name}`, 'ENODEV', `there is no device ${name}`)
    return link
  }

  nameOf(index: number): string | undefined {
    return [...this.links.values()].find((link) => link.index === index)?.name
  }

  emitNft(change: NftChange): void {
    for (const listener of this.nftListeners) listener(change)
  }

  emit(event: KernelEvent): void {
    for (const listener of this.listeners) listener(event)
  }
}

/** A link as callers see it. */
export function reportLink(link: FakeLink): Link {
  const { index, name, kind, mac, mtuBytes, isUp, group, alias, masterIndex } = link
  return { index, name, kind, mac, mtuBytes, isUp, group, alias, linkIndex: link.peer?.link.index, masterIndex }
}

function nextMac(): string {
  const tail = (++lastMac).toString(16).padStart(8, '0')
  return `02:fa:${tail.replace(/..(?=.)/g, '$&:')}`
}

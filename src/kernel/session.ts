import { KernelError } from './errors.ts'
import { RTM } from './netlink/constants.ts'
import { decodeLink, encodeLinkQuery, type LinkReport } from './netlink/link.ts'
import { NETFILTER_PROTOCOL, NetlinkSocket } from './netlink/socket.ts'
import { ignoreKernelCodes } from './tolerate.ts'

/** An rtnetlink socket in the thread's namespace, with the device names seen through it during one window. */
export class Session {
  readonly socket: NetlinkSocket
  #netfilter: NetlinkSocket | undefined
  readonly #indexes = new Map<string, number>()
  #names: Map<number, string> | undefined

  constructor(socket = new NetlinkSocket()) {
    this.socket = socket
  }

  /** To nftables; opened when it is first used. */
  get netfilter(): NetlinkSocket {
    this.#netfilter ??= new NetlinkSocket({ protocol: NETFILTER_PROTOCOL })
    return this.#netfilter
  }

  close(): void {
    this.socket.close()
    this.#netfilter?.close()
  }

  /** Reads one link; undefined when there is none of this name. */
  findLink(name: string): LinkReport | undefined {
    try {
      return decodeLink(this.socket.get(`find ${name}`, { type: RTM.GETLINK, body: encodeLinkQuery(name) }))
    } catch (error) {
      ignoreKernelCodes(error, 'ENODEV')
      return undefined
    }
  }

  /** Throws KernelError ENODEV naming the device. */
  getLink(name: string): LinkReport {
    const link = this.findLink(name)
    if (link === undefined) throw new KernelError(`find ${name}`, 'ENODEV', `there is no device ${name}`)
    return link
  }

  links(): LinkReport[] {
    return this.socket.dump('list links', { type: RTM.GETLINK, body: encodeLinkQuery() }).map(decodeLink)
  }

  /** A device's index, remembered for this window. Throws KernelError ENODEV. */
  readonly indexOf = (name: string): number => {
    const index = this.#indexes.get(name) ?? this.getLink(name).index
    this.#indexes.set(name, index)
    return index
  }

  /** A device's name by index, from one listing for this window. */
  readonly nameOf = (index: number): string | undefined => {
    this.#names ??= new Map(this.links().map((link) => [link.index, link.name]))
    return this.#names.get(index)
  }

  /** To be called when a link was made, renamed, moved or deleted. */
  forgetNames(): void {
    this.#indexes.clear()
    this.#names = undefined
  }
}

/** Runs `work` with a session of the thread's namespace that is closed afterwards. */
export function withSession<T>(work: (session: Session) => T): T {
  const session = new Session()
  try {
    return work(session)
  } finally {
    session.close()
  }
}

import { Socket } from 'node:net'
import { TwinlaneError } from '../base/errors.ts'
import { isAddress } from '../base/ip.ts'
import type { Kernel, Netns } from '../kernel/kernel.ts'

/** Opens a TCP connection; the socket tells by its events whether it comes about. */
export type Connect = (host: string, port: number) => Promise<Socket>

/**
 * Connections that a process outside makes as if it ran on a node: `addresses` are the hosts that it knows by name.
 * Throws TwinlaneError for any other name.
 */
export function connectFrom(kernel: Kernel, netns: Netns, addresses: ReadonlyMap<string, string>): Connect {
  return async (host, port) => {
    const address = isAddress(host) ? host : addresses.get(host)
    if (address === undefined) {
      const known = [...addresses.keys()].join(', ')
      throw new TwinlaneError(`no host "${host}"`, { fix: `Use an address, or one of ${known}.` })
    }
    return new Socket({ fd: await kernel.connectTcp(netns, address, port) })
  }
}

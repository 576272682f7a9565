import { errnoName } from '../errno.ts'
import { KernelError } from '../errors.ts'
import { AF_UNSPEC, NLMSG_ERROR, RTM, RTNLGRP_LINK } from './constants.ts'
import { encodeGroupDeletion, linkFamily, linkIndex } from './link.ts'
import { decodeAck, type Message } from './message.ts'
import { NetlinkSocket } from './socket.ts'

/**
 * Deletes a group of links and hears when they are gone. A deletion keeps its thread for about 20 ms, nearly all of it
 * after the links are gone for everybody else (netdev_run_todo waits for RCU without the lock). So the request is sent
 * by a thread of Node's pool, and this one waits for the announcement.
 */
export class DeletionSocket {
  readonly #socket = new NetlinkSocket({ groups: 1 << (RTNLGRP_LINK - 1) })

  /** Resolves when the kernel has finished; the socket is closed then. */
  async deleteGroup(group: number): Promise<void> {
    try {
      await this.#socket.sendElsewhere('delete links', { type: RTM.DELLINK, body: encodeGroupDeletion(group) })
    } finally {
      this.#socket.close()
    }
  }

  /**
   * Blocks until all of these links are announced as deleted, or the kernel has finished. Links that are not there when
   * it comes to them are gone too. Throws KernelError when it refuses, or says nothing for 10 s.
   */
  waitUntilGone(indexes: ReadonlySet<number>): void {
    const left = new Set(indexes)
    while (left.size > 0) {
      for (const message of this.#socket.listen('delete links')) {
        if (isEnd(message)) return
        if (message.type === RTM.DELLINK && linkFamily(message.body) === AF_UNSPEC) left.delete(linkIndex(message.body))
      }
    }
  }
}

/** Throws KernelError when the kernel refused. */
function isEnd(message: Message): boolean {
  if (message.type !== NLMSG_ERROR) return false
  const { errno, text } = decodeAck(message)
  const code = errnoName(errno)
  if (errno !== 0 && code !== 'ENODEV') throw new KernelError('delete links', code, text)
  return true
}

import { setLink } from './links.ts'
import { DeletionSocket } from './netlink/deletion-socket.ts'
import type { Session } from './session.ts'
import { tolerate } from './tolerate.ts'

/** Deletions that the kernel may be at at once: each keeps one of the four threads of Node's pool. */
const mostAtOnce = 3

/** A group that holds links only for the moment between their being marked and their being deleted. */
const firstDyingGroup = 0x7477_6c6e

/** Deletes links of the process' own namespace. */
export class LinkDeletion {
  readonly #inWork = new Set<Promise<void>>()
  #count = 0

  /**
   * Resolves when the links are gone for everybody: out of every list, their names free. The kernel then goes on for a
   * while with what nobody sees. Links that are not there are gone already. Throws KernelError.
   */
  async remove(names: readonly string[], inWindow: <T>(work: (session: Session) => T) => T): Promise<void> {
    while (this.#inWork.size >= mostAtOnce) await Promise.race(this.#inWork)
    const group = firstDyingGroup + (this.#count++ % mostAtOnce)
    const indexes = inWindow((session) => mark(session, names, group))
    if (indexes.size > 0) this.#delete(group, indexes)
  }

  /** Resolves when the kernel has finished all. */
  async finished(): Promise<void> {
    await Promise.allSettled(this.#inWork)
  }

  #delete(group: number, indexes: ReadonlySet<number>): void {
    const socket = new DeletionSocket()
    const work = socket.deleteGroup(group).finally(() => this.#inWork.delete(work))
    this.#inWork.add(work)
    work.catch(() => {})
    socket.waitUntilGone(indexes)
  }
}

/** Puts the links that are there into the group; their indexes. */
function mark(session: Session, names: readonly string[], group: number): Set<number> {
  const indexes = new Set<number>()
  for (const name of names) {
    tolerate(['ENODEV'], () => {
      const index = session.indexOf(name)
      setLink(session, { op: 'setLink', name, group })
      indexes.add(index)
    })
  }
  return indexes
}

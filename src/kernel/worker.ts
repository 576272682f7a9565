import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { applyAll } from './apply.ts'
import { KernelError } from './errors.ts'
import type { Netns } from './kernel.ts'
import { libc } from './libc.ts'
import { LinkDeletion } from './link-deletion.ts'
import { leaveNetnsBehind, withNetns } from './namespace.ts'
import { openNftWatchSocket, openWatchSocket } from './netlink/socket.ts'
import { runNftables } from './nftables.ts'
import { hasChecksumOffload } from './offload.ts'
import type { Answer, PlainError, Request, WorkerCalls, WorkerRole } from './protocol.ts'
import { linkOf, readAddresses, readFdb, readNeighbors, readRoutes, readRules } from './read.ts'
import { type Session, withSession } from './session.ts'
import { readSysctl } from './sysctl.ts'
import { connectTcp, listenTcp } from './tcp.ts'
import { runWatcher } from './watcher.ts'

/**
 * The body of a worker thread. Threads of the role `requests` are the only ones of the process that ever change their
 * network namespace; each request is one synchronous window.
 */
export function runKernelWorker(): void {
  const port = parentPort
  if (port === null) throw new Error('kernel-worker runs only as a worker thread of a Twinlane process')
  if ((workerData as { role: WorkerRole }).role === 'watches') runWatcher(port)
  else serve(port)
}

function serve(port: MessagePort): void {
  const inWork = new Set<Promise<void>>()
  const unsent: Answer[] = []
  const flush = (): void => {
    if (unsent.length > 0) port.postMessage(unsent.splice(0))
  }
  const say = (message: Answer): void => {
    unsent.push(message)
    if (unsent.length === 1) setImmediate(flush)
  }
  const stop = async (): Promise<void> => {
    await Promise.all(inWork)
    await deletion.finished()
    flush()
    leaveNetnsBehind()
    port.close()
  }
  port.on('message', (message: readonly Request[] | 'stop') => {
    if (message === 'stop') return void stop()
    for (const request of message) {
      const work = answer(request)
        .then(say)
        .finally(() => inWork.delete(work))
      inWork.add(work)
    }
  })
}

/** Whoever asks may have several calls under way; all but the deletion of links are done when this returns. */
async function answer(request: Request): Promise<Answer> {
  try {
    const call = calls[request.method] as (...args: unknown[]) => unknown
    return { id: request.id, value: await call(...request.args) }
  } catch (error) {
    return { id: request.id, error: plainError(error, request.method) }
  }
}

const deletion = new LinkDeletion()

const calls: WorkerCalls = {
  apply: (netns, operations) => within(netns, (session) => applyAll(session, netns, operations)),
  applyEach: (batches) => {
    for (const { netns, operations } of batches) within(netns, (session) => applyAll(session, netns, operations))
  },
  removeLinks: (names) => deletion.remove(names, (work) => within(undefined, work)),
  links: (netns) => within(netns, (session) => session.links().map(linkOf)),
  findLink: (netns, name) =>
    within(netns, (session) => {
      const found = session.findLink(name)
      return found === undefined ? undefined : linkOf(found)
    }),
  addresses: (netns, device) => within(netns, (session) => readAddresses(session, device)),
  routes: (netns, filter) => within(netns, (session) => readRoutes(session, filter)),
  rules: (netns, family) => within(netns, (session) => readRules(session, family)),
  neighbors: (netns, device) => within(netns, (session) => readNeighbors(session, device)),
  fdb: (netns, device) => within(netns, (session) => readFdb(session, device)),
  readSysctl: (netns, key) => withNetns(netns, () => readSysctl(key)),
  hasChecksumOffload: (netns, device) => withNetns(netns, () => hasChecksumOffload(device)),
  nft: (netns, commands, isJson) => withNetns(netns, () => runNftables(commands, { isJson })),
  listenTcp: (netns, address, port) => withNetns(netns, () => listenTcp(address, port)),
  connectTcp: (netns, address, port) => withNetns(netns, () => connectTcp(address, port)),
  returnMemory: () => void libc().malloc_trim(0),
  openWatch: (netns, { bufferBytes, filter }) =>
    within(netns, (session) => {
      const fd = openWatchSocket(bufferBytes)
      return { fd, filter, subject: 'network', names: session.links().map((link) => [link.index, link.name] as const) }
    }),
  openNftWatch: (netns) => withNetns(netns, () => ({ fd: openNftWatchSocket(), subject: 'nftables', names: [] })),
}

function within<T>(netns: Netns, work: (session: Session) => T): T {
  return withNetns(netns, () => withSession(work))
}

function plainError(error: unknown, method: string): PlainError {
  const fix = error instanceof TwinlaneError && error.fix !== undefined ? { fix: error.fix } : {}
  if (error instanceof KernelError) return { what: error.what, code: error.code, text: error.text, ...fix }
  return { what: method, code: 'EINVAL', text: describeError(error), ...fix }
}

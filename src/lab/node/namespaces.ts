import type { Readable } from 'node:stream'
import { defer, withDeadline } from '../../base/clock.ts'
import { TwinlaneError } from '../../base/errors.ts'
import { type ChildProcess, spawnProcess } from '../../base/exec.ts'
import type { Netns } from '../../kernel/kernel.ts'
import { buildInitScript, type MountsOptions } from './mounts.ts'
import { childrenOf, findProcess, type ProcessId } from './process-id.ts'

/** A set of namespaces that looks like a host. It lives as long as its first process, and that as long as ours. */
export interface Namespaces {
  readonly name: string
  /** The first process (pid 1 inside), as the root namespace numbers it. */
  readonly init: ProcessId
  /** For the kernel interface. */
  readonly netns: Netns
  /** Path under which the node's own files are seen from outside, e.g. `/proc/123/root`. */
  readonly root: string
  /** Resolves when all its processes have been told to die, whoever did it. */
  readonly ended: Promise<void>
  /** Kills the first process and thereby everything in the node. Safe to repeat. */
  stop(): Promise<void>
}

const startTimeoutMs = 10_000

const unshareArguments = [
  '--pdeathsig',
  'KILL',
  'unshare',
  '--fork',
  '--kill-child',
  '--pid',
  '--uts',
  '--ipc',
  '--net',
  '--mount',
  '--propagation',
  'private',
]

/** Starts a node's namespaces; resolves when its mounts and its loopback are up. */
export async function startNamespaces(options: MountsOptions, signal: AbortSignal): Promise<Namespaces> {
  const child = spawnProcess('setpriv', [...unshareArguments, 'sh', '-euc', buildInitScript(options)], {
    stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
    cwd: '/',
  })
  const ended = endOf(child)
  const said = collect(child.stderr)
  const failed = ended.then(() => {
    throw new TwinlaneError(`the namespaces of ${options.hostname} could not be made: ${said().trim()}`)
  })
  try {
    const what = `the namespaces of ${options.hostname}`
    await withDeadline(Promise.race([firstData(child), failed]), {
      what,
      timeoutMs: startTimeoutMs,
      signal,
      detail: said,
    })
    const init = await initOf(child)
    return {
      name: options.hostname,
      init,
      netns: `/proc/${init.pid}/ns/net`,
      root: `/proc/${init.pid}/root`,
      ended,
      stop: () => kill(child, ended),
    }
  } catch (error) {
    await kill(child, ended)
    throw error
  } finally {
    failed.catch(() => {})
  }
}

async function initOf(unshare: ChildProcess): Promise<ProcessId> {
  const [pid] = await childrenOf(unshare.pid ?? 0)
  const found = pid === undefined ? undefined : await findProcess(pid)
  if (found === undefined) throw new TwinlaneError('unshare has no child process')
  return found
}

async function kill(child: ChildProcess, ended: Promise<void>): Promise<void> {
  // Death of unshare kills the node's first process (--kill-child), and that everything else in its pid namespace.
  child.kill('SIGKILL')
  await ended
}

function endOf(child: ChildProcess): Promise<void> {
  const end = defer()
  child.once('exit', () => end.resolve())
  child.once('error', () => end.resolve())
  return end.promise
}

function firstData(child: ChildProcess): Promise<void> {
  const ready = defer()
  ;(child.stdio[3] as Readable).once('data', () => ready.resolve())
  return ready.promise
}

function collect(stream: Readable | null): () => string {
  let text = ''
  stream?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4000)
  })
  return () => text
}

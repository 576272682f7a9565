import { getSystemErrorName } from 'node:util'
import { TwinlaneError } from './errors.ts'

/** A process that has just been started. Who starts it owns the file descriptors and must wait for it. */
export interface SpawnedProcess {
  readonly pid: number
  /** Our ends of the pipes to its standard input and from its standard output and error. */
  readonly stdin: number
  readonly stdout: number
  readonly stderr: number
}

/** How a process ended: one of both is null. */
export interface ProcessEnd {
  readonly code: number | null
  readonly signal: number | null
}

export interface PosixSpawner {
  /**
   * Starts an executable without arguments, as the leader of a process group of its own. Throws TwinlaneError, whose
   * cause has the system's code, e.g. ETXTBSY.
   */
  spawn(path: string, env: Readonly<Record<string, string | undefined>>): SpawnedProcess
  /** Reaps a process when it ends; until then it takes a thread of the pool. */
  wait(pid: number): Promise<ProcessEnd>
}

let loaded: Promise<PosixSpawner> | undefined

/**
 * posix_spawn of the C library, which does not copy the page tables of the process that calls it. Node.js forks: two
 * to four milliseconds in a process of a hundred megabytes, and nothing else runs in them.
 */
export function posixSpawner(): Promise<PosixSpawner> {
  loaded ??= load()
  return loaded
}

const CLOSE_ON_EXEC = 0o2000000
const SET_GROUP = 0x02
const SET_DEFAULT_SIGNALS = 0x04
const SET_SIGNAL_MASK = 0x08
/** More than posix_spawnattr_t and posix_spawn_file_actions_t have on any architecture. */
const OPAQUE_BYTES = 512
const SIGNAL_SET_BYTES = 128
/** WNOHANG */
const WITHOUT_WAITING = 1

type Words = readonly (string | null)[]

interface Libc {
  pipe2(ends: number[], flags: number): number
  /** Node.js' own close warns, in a worker thread, of descriptors that it did not open. */
  close(fd: number): number
  posix_spawn(pid: number[], path: string, actions: Buffer, attributes: Buffer, argv: Words, envp: Words): number
  posix_spawn_file_actions_init(actions: Buffer): number
  posix_spawn_file_actions_adddup2(actions: Buffer, fd: number, target: number): number
  posix_spawn_file_actions_destroy(actions: Buffer): number
  posix_spawnattr_init(attributes: Buffer): number
  posix_spawnattr_setflags(attributes: Buffer, flags: number): number
  posix_spawnattr_setsigdefault(attributes: Buffer, set: Buffer): number
  waitpid: {
    (pid: number, status: number[], options: number): number
    async(pid: number, status: number[], options: number, done: WaitDone): void
  }
}

type WaitDone = (error: Error | null, pid: number) => void

/** Loaded when it is needed: most processes never are in need. */
async function load(): Promise<PosixSpawner> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load('libc.so.6')
  const opaque = { spawn: 'void *actions, void *attributes', words: 'const char **argv, const char **envp' }
  const libc = {
    close: library.func('int close(int fd)'),
    pipe2: library.func('int pipe2(_Out_ int *ends, int flags)'),
    posix_spawn: library.func(`int posix_spawn(_Out_ int *pid, const char *path, ${opaque.spawn}, ${opaque.words})`),
    posix_spawn_file_actions_init: library.func('int posix_spawn_file_actions_init(void *actions)'),
    posix_spawn_file_actions_adddup2: library.func('int posix_spawn_file_actions_adddup2(void *actions, int, int)'),
    posix_spawn_file_actions_destroy: library.func('int posix_spawn_file_actions_destroy(void *actions)'),
    posix_spawnattr_init: library.func('int posix_spawnattr_init(void *attributes)'),
    posix_spawnattr_setflags: library.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
    posix_spawnattr_setsigdefault: library.func('int posix_spawnattr_setsigdefault(void *attributes, void *set)'),
    waitpid: library.func('int waitpid(int pid, _Out_ int *status, int options)'),
  } as unknown as Libc
  const attributes = buildAttributes(libc)
  return { spawn: (path, env) => spawn(libc, attributes, { path, env }), wait: (pid) => wait(libc, pid) }
}

/** A group of its own, no signal blocked, and none ignored: Node.js itself ignores SIGPIPE. */
function buildAttributes(libc: Libc): Buffer {
  const attributes = Buffer.alloc(OPAQUE_BYTES)
  const ordinarySignals = Buffer.alloc(SIGNAL_SET_BYTES)
  ordinarySignals.writeUInt32LE(0x7fff_ffff)
  libc.posix_spawnattr_init(attributes)
  libc.posix_spawnattr_setflags(attributes, SET_GROUP | SET_DEFAULT_SIGNALS | SET_SIGNAL_MASK)
  libc.posix_spawnattr_setsigdefault(attributes, ordinarySignals)
  return attributes
}

function spawn(
  libc: Libc,
  attributes: Buffer,
  { path, env }: { path: string; env: Readonly<Record<string, string | undefined>> },
): SpawnedProcess {
  const fds = openPipes(libc)
  const actions = Buffer.alloc(OPAQUE_BYTES)
  const pid = [0]
  libc.posix_spawn_file_actions_init(actions)
  for (const [target, fd] of fds.theirs.entries()) libc.posix_spawn_file_actions_adddup2(actions, fd, target)
  const words = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  const errno = libc.posix_spawn(pid, path, actions, attributes, [path, null], [...words, null])
  libc.posix_spawn_file_actions_destroy(actions)
  for (const fd of fds.theirs) libc.close(fd)
  const [stdin = -1, stdout = -1, stderr = -1] = fds.ours
  if (errno === 0) return { pid: pid[0] ?? -1, stdin, stdout, stderr }
  for (const fd of fds.ours) libc.close(fd)
  throw systemError(`cannot start ${path}`, errno)
}

/** True pipes, which a script can open again as /dev/stdin; of Node.js it would get sockets. */
function openPipes(libc: Libc): { ours: number[]; theirs: number[] } {
  const [ours, theirs]: [number[], number[]] = [[], []]
  for (const isInput of [true, false, false]) {
    const ends = [-1, -1]
    if (libc.pipe2(ends, CLOSE_ON_EXEC) !== 0) {
      for (const fd of [...ours, ...theirs]) libc.close(fd)
      throw new TwinlaneError('cannot make a pipe', { fix: 'Raise the limit of open files.' })
    }
    const [readEnd = -1, writeEnd = -1] = ends
    ours.push(isInput ? writeEnd : readEnd)
    theirs.push(isInput ? readEnd : writeEnd)
  }
  return { ours, theirs }
}

function systemError(what: string, errno: number): TwinlaneError {
  const code = getSystemErrorName(-errno)
  return new TwinlaneError(what, { cause: Object.assign(new Error(code), { code }) })
}

/** Most have ended when their output has: only the others cost a way to another thread. */
function wait(libc: Libc, pid: number): Promise<ProcessEnd> {
  const status = [0]
  if (libc.waitpid(pid, status, WITHOUT_WAITING) === pid) return Promise.resolve(readStatus(status[0] ?? 0))
  return new Promise((resolve, reject) => {
    libc.waitpid.async(pid, status, 0, (error, result) => {
      if (error === null && result === pid) resolve(readStatus(status[0] ?? 0))
      else reject(error ?? new TwinlaneError(`process ${pid} is not ours to wait for`))
    })
  })
}

/** WIFEXITED and its like. */
function readStatus(status: number): ProcessEnd {
  const signal = status & 0x7f
  return signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal }
}

import { type ChildProcess, type ChildProcessWithoutNullStreams, type SpawnOptions, spawn } from 'node:child_process'
import { ignoreCodes, TwinlaneError } from './errors.ts'

export type { ChildProcess, StdioOptions } from 'node:child_process'

export interface ExecOptions {
  input?: string | Buffer
  env?: NodeJS.ProcessEnv
  cwd?: string
  timeoutMs?: number
  signal?: AbortSignal | undefined
  /** The command gets a process group of its own, which is killed as a whole. @default false */
  ownGroup?: boolean
  /** Standard output and error beyond this many bytes end the command. @default 16 MiB */
  maxOutputBytes?: number
  /** Exit codes that are not an error. @default [0] */
  okCodes?: readonly number[]
}

export interface ExecResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

/** A command could not be started or ended badly. The message shows a line that can be pasted into a shell. */
export class ExecError extends TwinlaneError {
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string

  constructor(
    line: string,
    problem: string,
    facts: { code?: number; stdout: string; stderr: string; cause?: unknown },
  ) {
    const said = (facts.stderr || facts.stdout).trim()
    super(`${line}: ${problem}${said === '' ? '' : `: ${said.slice(-2000)}`}`, { cause: facts.cause })
    this.code = facts.code
    this.stdout = facts.stdout
    this.stderr = facts.stderr
  }
}

/**
 * Runs a command to its end, which is when nobody has its standard output any more. Throws ExecError on a bad exit, a
 * signal, or the deadline.
 */
export async function exec(command: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const line = shellLine(command, args)
  const child = start(command, args, options)
  const unwatch = options.ownGroup === true ? killGroupOnAbort(child, options.signal) : undefined
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  const limit = options.maxOutputBytes ?? 16 * 1024 * 1024
  const [stdout, stderr, ending] = await Promise.all([
    readAll(child, 'stdout', limit),
    readAll(child, 'stderr', limit),
    ended(child),
  ])
  unwatch?.()
  if (ending.error !== undefined) {
    throw new ExecError(line, 'could not be run', { stdout, stderr, cause: ending.error })
  }
  if (ending.code === null) throw new ExecError(line, `ended by ${ending.signalName}`, { stdout, stderr })
  if (!(options.okCodes ?? [0]).includes(ending.code)) {
    throw new ExecError(line, `exit code ${ending.code}`, { code: ending.code, stdout, stderr })
  }
  return { stdout, stderr, code: ending.code }
}

function start(command: string, args: readonly string[], options: ExecOptions): ChildProcessWithoutNullStreams {
  const { env, cwd, timeoutMs, signal, ownGroup = false } = options
  return spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: ownGroup,
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs, killSignal: 'SIGKILL' as const }),
    ...(signal === undefined || ownGroup ? {} : { signal, killSignal: 'SIGKILL' as const }),
  })
}

/**
 * What the command has started may hold its output for ever, also from a session of its own: once the command is gone,
 * nobody waits for that.
 */
function killGroupOnAbort(child: ChildProcessWithoutNullStreams, signal: AbortSignal | undefined): () => void {
  const closeOutput = (): void => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const onAbort = (): void => {
    const isGone = child.exitCode !== null || child.signalCode !== null || !killGroup(child.pid)
    if (isGone) closeOutput()
    else child.once('exit', closeOutput)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return () => signal?.removeEventListener('abort', onAbort)
}

function killGroup(leader: number | undefined): boolean {
  try {
    return leader !== undefined && process.kill(-leader, 'SIGKILL')
  } catch (error) {
    ignoreCodes(error, 'ESRCH')
    return false
  }
}

/** Starts a long-lived process. The caller owns it. */
export function spawnProcess(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn(command, args, options)
}

/** The command as one would type it. */
export function shellLine(command: string, args: readonly string[]): string {
  return [command, ...args]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ')
}

interface Ending {
  code: number | null
  signalName: string | null
  error?: Error
}

function ended(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signalName: null, error }))
    child.once('close', (code, signalName) => resolve({ code, signalName }))
  })
}

async function readAll(child: ChildProcess, name: 'stdout' | 'stderr', limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  child[name]?.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > limit) child.kill('SIGKILL')
    else chunks.push(chunk)
  })
  await new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child[name]?.once('close', () => resolve())
  })
  return Buffer.concat(chunks).toString('utf8')
}

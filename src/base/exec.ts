import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { TwinlaneError } from './errors.ts'

export type { ChildProcess, StdioOptions } from 'node:child_process'

export interface ExecOptions {
  input?: string | Buffer
  env?: NodeJS.ProcessEnv
  cwd?: string
  timeoutMs?: number
  signal?: AbortSignal | undefined
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

/** Runs a command to its end. Throws ExecError on a bad exit, a signal, or the deadline. */
export async function exec(command: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const line = shellLine(command, args)
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' as const }),
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' as const }),
  })
  child.stdin.on('error', () => {})
  child.stdin.end(options.input)
  const limit = options.maxOutputBytes ?? 16 * 1024 * 1024
  const [stdout, stderr, ending] = await Promise.all([
    readAll(child, 'stdout', limit),
    readAll(child, 'stderr', limit),
    ended(child),
  ])
  if (ending.error !== undefined) {
    throw new ExecError(line, 'could not be run', { stdout, stderr, cause: ending.error })
  }
  if (ending.code === null) throw new ExecError(line, `ended by ${ending.signalName}`, { stdout, stderr })
  if (!(options.okCodes ?? [0]).includes(ending.code)) {
    throw new ExecError(line, `exit code ${ending.code}`, { code: ending.code, stdout, stderr })
  }
  return { stdout, stderr, code: ending.code }
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

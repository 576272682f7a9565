import { Socket } from 'node:net'
import { constants } from 'node:os'
import { ignoreCodes } from './errors.ts'
import { ExecError, type ExecResult } from './exec.ts'
import { type PosixSpawner, type ProcessEnd, posixSpawner } from './posix-spawn.ts'

export interface ExecGroupOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly input: string
  /** Kills the command and all that it has started, as far as it is still in its process group. */
  readonly signal?: AbortSignal | undefined
  /** Standard output and error beyond this many bytes end the command. @default 16 MiB */
  readonly maxOutputBytes?: number
}

/**
 * Runs an executable to its end, which is when nobody has its output any more; for a large process that does so often.
 * Throws ExecError on a bad exit or a signal.
 */
export async function execGroup(path: string, options: ExecGroupOptions): Promise<ExecResult> {
  const spawner = await posixSpawner()
  options.signal?.throwIfAborted()
  const child = start(spawner, path, options.env)
  const kill = (): void => killGroup(child.pid)
  const output = [child.stdout, child.stderr].map((fd) => new Socket({ fd, readable: true, writable: false }))
  const stop = (): void => {
    kill()
    // What has left the group may hold the output for ever; nobody waits for that.
    for (const each of output) each.destroy()
  }
  options.signal?.addEventListener('abort', stop, { once: true })
  writeInput(child.stdin, options.input)
  const limit = options.maxOutputBytes ?? 16 * 1024 * 1024
  const [stdout = '', stderr = ''] = await Promise.all(output.map((each) => readAll(each, limit, stop)))
  // Until it has been waited for, nobody else can have its number.
  const end = await spawner.wait(child.pid)
  options.signal?.removeEventListener('abort', stop)
  return resultOf(path, end, { stdout, stderr })
}

function start(spawner: PosixSpawner, path: string, env: ExecGroupOptions['env']): ReturnType<PosixSpawner['spawn']> {
  try {
    return spawner.spawn(path, env)
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    throw new ExecError(path, 'could not be run', { stdout: '', stderr: '', cause })
  }
}

/** A command that does not read its input, or only a part, may. */
function writeInput(fd: number, input: string): void {
  const stdin = new Socket({ fd, readable: false, writable: true })
  stdin.on('error', () => {})
  stdin.end(input)
}

async function readAll(stream: Socket, limit: number, stop: () => void): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > limit) stop()
    else chunks.push(chunk)
  })
  await new Promise<void>((resolve) => {
    stream.once('error', () => {})
    stream.once('close', () => resolve())
  })
  return Buffer.concat(chunks).toString('utf8')
}

function resultOf(path: string, { code, signal }: ProcessEnd, said: { stdout: string; stderr: string }): ExecResult {
  if (code === 0) return { ...said, code }
  if (code !== null) throw new ExecError(path, `exit code ${code}`, { code, ...said })
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`
  throw new ExecError(path, `ended by ${name}`, said)
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch (error) {
    ignoreCodes(error, 'ESRCH')
  }
}

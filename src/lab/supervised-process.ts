import { open, rm } from 'node:fs/promises'
import { defer, withDeadline } from '../base/clock.ts'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { type ChildProcess, shellLine, spawnProcess } from '../base/exec.ts'
import { findFile } from '../base/file.ts'
import { fileAppears, socketListens } from '../base/file-appears.ts'
import type { Log } from '../base/log.ts'
import { backoffMs } from '../base/retry.ts'
import { enterArguments, nodeEnvironment } from './node/command.ts'
import type { Namespaces } from './node/namespaces.ts'
import { childrenOf } from './node/process-id.ts'

/** How a program shows that it is ready: a unix socket that accepts connections, or a file. Paths as the node has them. */
export type ReadySign = { readonly socket: string } | { readonly file: string }

/** A program that runs in a node for as long as the lab, in the foreground. */
export interface ProcessSpec {
  readonly name: string
  readonly node: Namespaces
  readonly command: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Absent: ready at once. */
  readonly ready?: ReadySign
  readonly logFile: string
}

export type ProcessPhase = 'starting' | 'running' | 'waiting to restart' | 'stopped'

/** What `lab status` says about one program. */
export interface ProcessStatus {
  readonly name: string
  readonly node: string
  readonly phase: ProcessPhase
  /** As the root namespace numbers it. */
  readonly pid?: number
  readonly restarts: number
}

/** A program did not start. The message holds its last log lines. */
export class ProcessStartError extends TwinlaneError {}

const readyTimeoutMs = 30_000
/** A program that ran this long is well: the next restart starts the back-off anew. */
const wellAfterMs = 10_000

/** Starts a program in a node and restarts it with back-off whenever it ends. */
export class SupervisedProcess {
  readonly spec: ProcessSpec
  readonly #log: Log
  #child: ChildProcess | undefined
  #ended: Promise<string> = Promise.resolve('')
  #phase: ProcessPhase = 'stopped'
  #restarts = 0
  #attempt = 0
  #startedAt = 0
  #timer: NodeJS.Timeout | undefined
  #isStopping = false

  constructor(spec: ProcessSpec, log: Log) {
    this.spec = spec
    this.#log = log
  }

  /** Resolves when the program is ready. If it ends before that, the log's last lines are thrown and it is not restarted. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#spawn()
    const early = this.#ended.then((how) => {
      throw new TwinlaneError(how)
    })
    try {
      await Promise.race([this.#ready(signal), early])
    } catch (error) {
      signal.throwIfAborted()
      throw new ProcessStartError(await this.#startFailure(error), { cause: error })
    } finally {
      early.catch(() => {})
    }
    this.#phase = 'running'
    this.#restartWhenEnded()
  }

  /** SIGTERM to the program itself, SIGKILL when it has not ended within the time. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopping = true
    clearTimeout(this.#timer)
    await this.#signal('SIGTERM')
    try {
      await withDeadline(this.#ended, { what: `the end of ${this.spec.name}`, timeoutMs })
    } catch {
      await this.#signal('SIGKILL')
    }
    this.#phase = 'stopped'
  }

  async status(): Promise<ProcessStatus> {
    const pid = await this.#pid()
    return {
      name: this.spec.name,
      node: this.spec.node.name,
      phase: this.#phase,
      ...(pid === undefined ? {} : { pid }),
      restarts: this.#restarts,
    }
  }

  async #spawn(): Promise<void> {
    this.#phase = 'starting'
    this.#startedAt = Date.now()
    if (this.spec.ready !== undefined) await rm(this.#inNode(pathOf(this.spec.ready)), { force: true })
    const log = await open(this.spec.logFile, 'a')
    try {
      await log.write(
        `# ${new Date().toISOString()} ${shellLine(this.spec.command[0] ?? '', this.spec.command.slice(1))}\n`,
      )
      this.#child = spawnProcess('nsenter', enterArguments(this.spec.node.init.pid, this.spec.command), {
        cwd: '/',
        env: nodeEnvironment(this.spec.env),
        stdio: ['ignore', log.fd, log.fd],
      })
      this.#ended = endOf(this.#child)
    } finally {
      await log.close()
    }
  }

  async #ready(signal: AbortSignal): Promise<void> {
    const sign = this.spec.ready
    if (sign === undefined) return
    const options = {
      what: `${this.spec.name} on ${this.spec.node.name} to make ${pathOf(sign)}`,
      timeoutMs: readyTimeoutMs,
      signal,
    }
    if ('socket' in sign) await socketListens(this.#inNode(sign.socket), options)
    else await fileAppears(this.#inNode(sign.file), options)
  }

  #restartWhenEnded(): void {
    void this.#ended.then((how) => {
      if (this.#isStopping) return
      if (Date.now() - this.#startedAt > wellAfterMs) this.#attempt = 0
      const delayMs = backoffMs(this.#attempt++, 200, 5000)
      this.#phase = 'waiting to restart'
      this.#log.warn({ process: this.spec.name, node: this.spec.node.name, how, delayMs }, 'ended, will restart')
      this.#timer = setTimeout(() => void this.#restart(), delayMs)
    })
  }

  async #restart(): Promise<void> {
    this.#restarts++
    try {
      await this.#spawn()
      this.#phase = 'running'
    } catch (error) {
      this.#ended = Promise.resolve(describeError(error))
    }
    this.#restartWhenEnded()
  }

  /** nsenter forks to enter the pid namespace, so the program is its only child. */
  async #pid(): Promise<number | undefined> {
    const pid = this.#child?.pid
    if (pid === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return undefined
    return (await childrenOf(pid))[0]
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const pid = await this.#pid()
    if (pid === undefined) return void this.#child?.kill('SIGKILL')
    // Somebody may have stopped the program, and nsenter stops with its child; a stopped process ends by SIGKILL alone.
    this.#child?.kill('SIGCONT')
    process.kill(pid, 'SIGCONT')
    process.kill(pid, signal)
  }

  #inNode(path: string): string {
    return `${this.spec.node.root}${path}`
  }

  async #startFailure(error: unknown): Promise<string> {
    const lines = (await findFile(this.spec.logFile))?.trimEnd().split('\n').slice(-12) ?? []
    const head = `${this.spec.name} on ${this.spec.node.name} did not start (${describeError(error)})`
    return [`${head}; the end of ${this.spec.logFile}:`, ...lines.map((line) => `  ${line}`)].join('\n')
  }
}

function pathOf(sign: ReadySign): string {
  return 'socket' in sign ? sign.socket : sign.file
}

function endOf(child: ChildProcess): Promise<string> {
  const end = defer<string>()
  child.once('exit', (code, signal) => end.resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`))
  child.once('error', (error) => end.resolve(describeError(error)))
  return end.promise
}

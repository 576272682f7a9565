import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { describeError, errorCode } from '../base/errors.ts'
import { ExecError, type ExecResult } from '../base/exec.ts'
import { execGroup } from '../base/exec-group.ts'
import type { Log } from '../base/log.ts'
import { retry } from '../base/retry.ts'
import { CniError, cniErrorCode } from './errors.ts'
import { codeOf } from './format-error.ts'
import type { CniCommand } from './request.ts'

/** One execution of a plugin. */
export interface PluginCall {
  readonly command: CniCommand
  /** Name of the executable, as the configuration has it. */
  readonly type: string
  readonly path: string
  /** The CNI variables. */
  readonly env: NodeJS.ProcessEnv
  readonly config: object
  /** Its end is that of the plugin and of all that the plugin has started. */
  readonly signal?: AbortSignal | undefined
  readonly log?: Log | undefined
}

/**
 * Executes a plugin and resolves with what it printed. Throws CniError: the plugin's own code and message; 11 and how
 * long it ran when the signal ended it (or the code of the signal's reason); 999 with what it said otherwise.
 */
export async function runPlugin(call: PluginCall): Promise<string> {
  const startedAt = performance.now()
  call.signal?.throwIfAborted()
  try {
    const { stdout, stderr } = await execute(call)
    logStderr(call, stderr)
    call.signal?.throwIfAborted()
    return stdout
  } catch (error) {
    if (error instanceof ExecError) logStderr(call, error.stderr)
    throw call.signal?.aborted === true ? lateError(call, performance.now() - startedAt) : failureOf(call, error)
  }
}

/** The executable of a plugin type. Throws CniError that names the folders searched. */
export function findPlugin(type: string, folders: readonly string[]): string {
  const path = folders.map((folder) => join(folder, type)).find(isExecutable)
  if (path !== undefined) return path
  throw new CniError(cniErrorCode.invalidNetworkConfig, `no CNI plugin "${type}" in ${folders.join(', ')}`, {
    fix: `Install the plugin there or correct the type "${type}" in the network's configuration.`,
  })
}

/** A look into the folder, quicker than the way to another thread. */
function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** A plugin that is being replaced on disk cannot be started for a moment. */
function execute({ path, env, config, signal }: PluginCall): Promise<ExecResult> {
  return retry(() => execGroup(path, { input: JSON.stringify(config), env, signal }), {
    attempts: 6,
    minDelayMs: 50,
    retryable: (error) => error instanceof ExecError && errorCode(error.cause) === 'ETXTBSY',
    signal,
  })
}

function logStderr({ log, command, type, env }: PluginCall, stderr: string): void {
  const text = stderr.trim()
  if (text === '') return
  const { CNI_CONTAINERID: containerId, CNI_IFNAME: ifName } = env
  log?.info({ plugin: type, command, containerId, ifName, stderr: text.slice(-4000) }, 'a CNI plugin said')
}

function lateError({ type, command, signal }: PluginCall, elapsedMs: number): CniError {
  const seconds = (elapsedMs / 1000).toFixed(1)
  const message = `plugin "${type}" failed ${command}: killed after ${seconds} s: ${describeError(signal?.reason)}`
  return new CniError(codeOf(signal?.reason), message, {
    cause: signal?.reason,
    fix: `Find out what plugin "${type}" waits for.`,
  })
}

/** The plugin's own error object; anything else keeps its text under code 999. */
function failureOf({ command, type }: PluginCall, error: unknown): unknown {
  if (!(error instanceof ExecError)) return error
  const own = pluginErrorIn(error.stdout, command, type)
  if (own !== undefined) return own
  const said = (error.stderr || error.stdout).trim().slice(-2000) || error.message
  return new CniError(cniErrorCode.internal, `plugin "${type}" failed ${command}: ${said}`, { cause: error })
}

/** The error object in what a plugin printed (CNI spec section 5, "Error"); a code that is none becomes 999. */
export function pluginErrorIn(stdout: string, command: CniCommand, type: string): CniError | undefined {
  const { code, msg, details } = parseObject(stdout) ?? {}
  if (typeof code !== 'number' || (code === 0 && typeof msg !== 'string')) return undefined
  const isCode = Number.isInteger(code) && code > 0 && code <= 0xffff_ffff
  const text = typeof msg === 'string' ? msg : (JSON.stringify(msg) ?? 'it does not say why')
  return new CniError(
    isCode ? code : cniErrorCode.internal,
    `plugin "${type}" failed ${command}: ${text}`,
    typeof details === 'string' && details !== '' ? { details } : {},
  )
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

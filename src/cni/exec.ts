import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { describeError, errorCode } from '../base/errors.ts'
import { ExecError, exec } from '../base/exec.ts'
import { retry } from '../base/retry.ts'
import { runAll } from '../base/undo.ts'
import { derivePluginConfig } from './config.ts'
import { CniError, cniErrorCode } from './errors.ts'
import type { CniCommand, NetworkConfig, NetworkConfigList } from './request.ts'
import type { CniResult } from './result.ts'
import { emptyResult } from './result.ts'
import { compareVersions, resultFromVersion, resultToVersion } from './versions.ts'

/** A chain of plugins, executed for no attachment. */
export interface NetworkRequest {
  readonly list: NetworkConfigList
  /** Folders with plugin executables, searched in order; also CNI_PATH. */
  readonly folders: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/** Whom a chain of plugins is executed for. */
export interface ChainRequest extends NetworkRequest {
  readonly containerId: string
  readonly netns: string | undefined
  readonly ifName: string
  readonly args: Readonly<Record<string, string>>
  /** The final result of the ADD, for CHECK and DEL. */
  readonly prevResult?: CniResult | undefined
}

/** A plugin answers STATUS out of what it knows; one that hangs is not ready. */
const statusDeadlineMs = 5000

/** ADD of every plugin in order, each with the result of the one before. Stops at the first error, a CniError with the plugin's own code. */
export async function addChain(request: ChainRequest): Promise<CniResult> {
  let result: CniResult | undefined
  for (const plugin of request.list.plugins) {
    const output = await runPlugin('ADD', plugin, { ...request, prevResult: result })
    result = output === undefined ? (result ?? emptyResult) : resultFromVersion(output, request.list.cniVersion)
  }
  return result ?? emptyResult
}

/**
 * DEL in reverse order; every plugin gets the final result of the ADD (0.4.0 and later). Unlike libcni it goes on
 * after a failure, so that one broken plugin does not make the others leak, and throws all failures at the end.
 */
export async function deleteChain(request: ChainRequest): Promise<void> {
  const plugins = request.list.plugins.toReversed()
  await runAll(
    `deleting network "${request.list.name}"`,
    plugins.map((plugin) => async () => void (await runPlugin('DEL', plugin, dropBefore('0.4.0', request)))),
  )
}

/** CHECK of every plugin in order. Does nothing where the configuration says `disableCheck` or its version has no CHECK. */
export async function checkChain(request: ChainRequest): Promise<void> {
  if (request.list.disableCheck === true || compareVersions(request.list.cniVersion, '0.4.0') < 0) return
  for (const plugin of request.list.plugins) await runPlugin('CHECK', plugin, request)
}

/**
 * STATUS of every plugin in order (CNI spec 1.1); before 1.1.0, whether the plugin is there. Throws CniError with the
 * plugin's own 50 or 51; whatever else goes wrong within 5 s, or takes longer, is 50.
 */
export async function statusChain(request: NetworkRequest): Promise<void> {
  const hasStatus = compareVersions(request.list.cniVersion, '1.1.0') >= 0
  for (const plugin of request.list.plugins) {
    try {
      await findPlugin(plugin.type, request.folders)
      if (hasStatus) await runPlugin('STATUS', plugin, withoutAttachment(request), { timeoutMs: statusDeadlineMs })
    } catch (error) {
      throw asNotAvailable(error)
    }
  }
}

/**
 * GC of every plugin (CNI spec 1.1): `valid` are the attachments of this network that stay. Does nothing where the
 * configuration says `disableGC` or is older than 1.1.0. Goes on after a failure and throws all at the end.
 */
export async function collectChainGarbage(
  request: NetworkRequest,
  valid: readonly { readonly containerId: string; readonly ifName: string }[],
): Promise<void> {
  const { list } = request
  if (list.disableGC === true || compareVersions(list.cniVersion, '1.1.0') < 0) return
  const attachments = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }))
  // libcni sends both: plugins were written against either.
  const keys = { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments }
  await runAll(
    `collecting garbage of network "${list.name}"`,
    list.plugins.map(
      (plugin) => async () => void (await runPlugin('GC', { ...plugin, ...keys }, withoutAttachment(request))),
    ),
  )
}

/** Checks that every plugin of the list can be executed. Throws CniError that names the one missing and the folders searched. */
export async function requirePlugins(list: NetworkConfigList, folders: readonly string[]): Promise<void> {
  for (const plugin of list.plugins) await findPlugin(plugin.type, folders)
}

/** The executable of a plugin type. Throws CniError that names the folders searched. */
export async function findPlugin(type: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const path = join(folder, type)
    if (await isExecutable(path)) return path
  }
  throw new CniError(cniErrorCode.invalidNetworkConfig, `no CNI plugin "${type}" in ${folders.join(', ')}`, {
    fix: `Install the plugin there or correct the type "${type}" in the network's configuration.`,
  })
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function dropBefore(version: string, request: ChainRequest): ChainRequest {
  return compareVersions(request.list.cniVersion, version) < 0 ? { ...request, prevResult: undefined } : request
}

function withoutAttachment(request: NetworkRequest): ChainRequest {
  return { ...request, containerId: '', netns: undefined, ifName: '', args: {} }
}

function asNotAvailable(error: unknown): CniError {
  const typed: readonly number[] = [cniErrorCode.pluginNotAvailable, cniErrorCode.pluginNotAvailableLimited]
  if (error instanceof CniError && typed.includes(error.code)) return error
  return new CniError(cniErrorCode.pluginNotAvailable, describeError(error), { cause: error })
}

async function runPlugin(
  command: CniCommand,
  plugin: NetworkConfig,
  request: ChainRequest,
  limits: { timeoutMs?: number } = {},
): Promise<unknown> {
  const path = await findPlugin(plugin.type, request.folders)
  const { list, prevResult } = request
  const previous = prevResult === undefined ? undefined : resultToVersion(prevResult, list.cniVersion)
  const input = JSON.stringify(derivePluginConfig(list, plugin, previous))
  const options = { input, env: environmentOf(command, request), signal: request.signal, ...limits }
  try {
    // A plugin that is being replaced on disk cannot be started for a moment.
    const { stdout } = await retry(() => exec(path, [], options), {
      attempts: 6,
      minDelayMs: 50,
      retryable: (error) => error instanceof ExecError && errorCode(error.cause) === 'ETXTBSY',
      signal: request.signal,
    })
    return stdout.trim() === '' ? undefined : parseOutput(plugin.type, stdout)
  } catch (error) {
    throw pluginError(command, plugin.type, error)
  }
}

function environmentOf(command: CniCommand, request: ChainRequest): NodeJS.ProcessEnv {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    CNI_COMMAND: command,
    CNI_CONTAINERID: request.containerId,
    CNI_NETNS: request.netns ?? '',
    CNI_IFNAME: request.ifName,
    CNI_PATH: request.folders.join(':'),
    CNI_ARGS: Object.entries(request.args)
      .map(([key, value]) => `${key}=${value}`)
      .join(';'),
  }
}

function parseOutput(type: string, stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch (cause) {
    throw new CniError(cniErrorCode.decodingFailure, `plugin "${type}" printed no JSON: ${stdout.slice(0, 200)}`, {
      cause,
    })
  }
}

/** The plugin's own error object with its code; anything else keeps its text under code 999. */
function pluginError(command: CniCommand, type: string, error: unknown): unknown {
  if (!(error instanceof ExecError)) return error
  const object = errorObjectIn(error.stdout)
  if (object === undefined) {
    const said = (error.stderr || error.stdout).trim().slice(-2000) || error.message
    return new CniError(cniErrorCode.internal, `plugin "${type}" failed ${command}: ${said}`, { cause: error })
  }
  const details = object.details === undefined || object.details === '' ? {} : { details: object.details }
  return new CniError(object.code, `plugin "${type}" failed ${command}: ${object.msg}`, details)
}

function errorObjectIn(text: string): { code: number; msg: string; details?: string } | undefined {
  try {
    const { code, msg, details } = JSON.parse(text) as Record<string, unknown>
    if (typeof code !== 'number') return undefined
    return { code, msg: String(msg ?? ''), ...(typeof details === 'string' ? { details } : {}) }
  } catch {
    return undefined
  }
}

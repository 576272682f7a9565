import { describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { runAll } from '../base/undo.ts'
import { derivePluginConfig } from './config.ts'
import { CniError, cniErrorCode } from './errors.ts'
import { resultFromVersion } from './read-result.ts'
import type { CniCommand, NetworkConfig, NetworkConfigList } from './request.ts'
import { type CniResult, emptyResult } from './result.ts'
import { findPlugin, pluginErrorIn, runPlugin } from './run-plugin.ts'
import { compareVersions, resultToVersion } from './versions.ts'

/** A chain of plugins, executed for no attachment. */
export interface NetworkRequest {
  readonly list: NetworkConfigList
  /** Folders with plugin executables, searched in order; also CNI_PATH. */
  readonly folders: readonly string[]
  readonly signal?: AbortSignal | undefined
  /** Executed in place of what the plugins' type says: the plugin for address management in their configuration. */
  readonly executable?: string | undefined
  /** Further variables of the plugins' environment. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Gets what plugins write to standard error. */
  readonly log?: Log | undefined
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

/**
 * ADD of every plugin in order, each with the result of the one before. Stops at the first error, a CniError with the
 * plugin's own code, or 6 and the field for an answer that is no result.
 */
export async function addChain(request: ChainRequest): Promise<CniResult> {
  let prevResult: CniResult | undefined
  for (const plugin of request.list.plugins) {
    const type = request.executable ?? plugin.type
    prevResult = readAnswer(type, await run('ADD', plugin, { ...request, prevResult }), request)
  }
  return prevResult ?? emptyResult
}

/**
 * DEL in reverse order; every plugin gets the final result of the ADD (0.4.0 and later). Unlike libcni it goes on
 * after a failure, so that one broken plugin does not make the others leak, and throws all failures at the end.
 */
export async function deleteChain(request: ChainRequest): Promise<void> {
  const plugins = request.list.plugins.toReversed()
  await runAll(
    `deleting network "${request.list.name}"`,
    plugins.map((plugin) => async () => void (await run('DEL', plugin, dropBefore('0.4.0', request)))),
  )
}

/** CHECK of every plugin in order. Does nothing where the configuration says `disableCheck` or its version has no CHECK. */
export async function checkChain(request: ChainRequest): Promise<void> {
  if (request.list.disableCheck === true || compareVersions(request.list.cniVersion, '0.4.0') < 0) return
  for (const plugin of request.list.plugins) await run('CHECK', plugin, request)
}

/**
 * STATUS of every plugin in order (CNI spec 1.1); before 1.1.0, whether the plugin is there. Throws CniError with the
 * plugin's own 50 or 51; whatever else goes wrong within 5 s, or takes longer, is 50.
 */
export async function statusChain(request: NetworkRequest): Promise<void> {
  const hasStatus = compareVersions(request.list.cniVersion, '1.1.0') >= 0
  for (const plugin of request.list.plugins) {
    try {
      findPlugin(plugin.type, request.folders)
      if (hasStatus) await run('STATUS', plugin, { ...withoutAttachment(request), signal: soon(request.signal) })
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
      (plugin) => async () => void (await run('GC', { ...plugin, ...keys }, withoutAttachment(request))),
    ),
  )
}

/** Checks that every plugin of the list can be executed. Throws CniError that names the one missing and the folders searched. */
export function requirePlugins(list: NetworkConfigList, folders: readonly string[]): void {
  for (const plugin of list.plugins) findPlugin(plugin.type, folders)
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

function soon(signal: AbortSignal | undefined): AbortSignal {
  const late = AbortSignal.timeout(statusDeadlineMs)
  return signal === undefined ? late : AbortSignal.any([signal, late])
}

async function run(command: CniCommand, plugin: NetworkConfig, request: ChainRequest): Promise<string> {
  const { list, folders, executable: type = plugin.type, prevResult, signal, log } = request
  const path = findPlugin(type, folders)
  const previous = prevResult === undefined ? undefined : resultToVersion(prevResult, list.cniVersion, 'plugin')
  const config = derivePluginConfig(list, plugin, previous)
  return await runPlugin({
    command,
    type,
    path,
    env: environmentOf(command, request),
    config,
    signal,
    log,
  })
}

function environmentOf(command: CniCommand, request: ChainRequest): NodeJS.ProcessEnv {
  return {
    ...request.env,
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

/** An error is an error also when the plugin forgot its exit code: an ADD without a result never counts as one. */
function readAnswer(type: string, stdout: string, { list }: NetworkRequest): CniResult {
  const error = pluginErrorIn(stdout, 'ADD', type)
  if (error !== undefined) throw error
  try {
    return resultFromVersion(parseOutput(stdout), list.cniVersion)
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause
    const fix = `Report it to the makers of plugin "${type}".`
    throw new CniError(cause.code, `plugin "${type}" failed ADD: ${cause.message}`, { cause, fix })
  }
}

function parseOutput(stdout: string): unknown {
  try {
    return JSON.parse(stdout)
  } catch (cause) {
    const what = stdout.trim() === '' ? 'it printed nothing' : `it printed no JSON: ${stdout.slice(0, 200)}`
    throw new CniError(cniErrorCode.decodingFailure, what, { cause })
  }
}

import { isValidName, parsePluginConfig } from './config.ts'
import { CniError, cniErrorCode } from './errors.ts'
import type { CniCommand, CniRequest } from './request.ts'
import { compareVersions } from './versions.ts'

/** One execution of the plugin executable, as the shim sends it. */
export interface RawRequest {
  readonly pluginName: string
  /** The CNI_* variables. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

type Variable = 'CNI_CONTAINERID' | 'CNI_NETNS' | 'CNI_IFNAME' | 'CNI_PATH'

const attachmentVariables = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'] as const

/** Which variables a verb needs, and the first version that has the verb (CNI spec section 2). */
const commands: Record<CniCommand, { needs: readonly Variable[]; since: string }> = {
  ADD: { needs: attachmentVariables, since: '0.1.0' },
  DEL: { needs: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'], since: '0.1.0' },
  CHECK: { needs: attachmentVariables, since: '0.4.0' },
  GC: { needs: ['CNI_PATH'], since: '1.1.0' },
  STATUS: { needs: ['CNI_PATH'], since: '1.1.0' },
  VERSION: { needs: [], since: '0.1.0' },
}

/** Checks environment and standard input against the specification. Throws CniError with codes 1, 4, 6 and 7. */
export function parseRequest(raw: RawRequest): CniRequest {
  const { env } = raw
  const command = readCommand(env)
  checkVariables(command, env)
  const config = parsePluginConfig(raw.stdin)
  checkVersionHas(command, config.cniVersion)
  return {
    command,
    containerId: env.CNI_CONTAINERID ?? '',
    netns: env.CNI_NETNS === '' ? undefined : env.CNI_NETNS,
    ifName: env.CNI_IFNAME ?? '',
    args: parseArgs(env.CNI_ARGS ?? ''),
    path: (env.CNI_PATH ?? '').split(':').filter((folder) => folder !== ''),
    pluginName: raw.pluginName,
    mayUseOwnNetns: /^(1|true)$/i.test(env.CNI_NETNS_OVERRIDE ?? ''),
    config,
  }
}

/** CNI_ARGS: `KEY=value;KEY=value`. Items of another form are ignored, as runtimes pass on what users wrote. */
export function parseArgs(text: string): Record<string, string> {
  const items = text.split(';').filter((item) => item.includes('='))
  return Object.fromEntries(items.map((item) => [item.slice(0, item.indexOf('=')), item.slice(item.indexOf('=') + 1)]))
}

function readCommand(env: Readonly<Record<string, string>>): CniCommand {
  const command = env.CNI_COMMAND ?? ''
  if (Object.hasOwn(commands, command)) return command as CniCommand
  throw invalid(`CNI_COMMAND "${command}" is unknown`, `Use one of ${Object.keys(commands).join(', ')}.`)
}

/** All that is wrong in one error, so that nobody mends variables one at a time (CNI spec section 2). */
function checkVariables(command: CniCommand, env: Readonly<Record<string, string>>): void {
  const { needs } = commands[command]
  const missing = needs.filter((name) => (env[name] ?? '') === '')
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifName = '' } = env
  const wrong: Wrong[] = [
    ...(missing.length > 0 ? [{ what: `${command} without ${missing.join(', ')}`, fix: 'Set them.' }] : []),
    ...(needs.includes('CNI_CONTAINERID') && containerId !== '' ? findWrongContainerId(containerId) : []),
    ...(needs.includes('CNI_IFNAME') && ifName !== '' ? findWrongIfName(ifName) : []),
  ]
  if (wrong.length === 0) return
  throw invalid(wrong.map(({ what }) => what).join('; '), wrong.map(({ fix }) => fix).join(' '))
}

interface Wrong {
  readonly what: string
  readonly fix: string
}

function findWrongContainerId(containerId: string): Wrong[] {
  if (isValidName(containerId)) return []
  const what = `CNI_CONTAINERID ${JSON.stringify(containerId)} is not a container ID`
  return [{ what, fix: 'A container ID has letters, digits, "_", "." and "-".' }]
}

function findWrongIfName(ifName: string): Wrong[] {
  const isWrong = Buffer.byteLength(ifName) > 15 || ifName === '.' || ifName === '..' || /[/:\s]/.test(ifName)
  if (!isWrong) return []
  const what = `CNI_IFNAME ${JSON.stringify(ifName)} is not an interface name`
  return [{ what, fix: 'An interface name has at most 15 characters, without "/", ":" and white space.' }]
}

function checkVersionHas(command: CniCommand, version: string): void {
  const { since } = commands[command]
  if (compareVersions(version, since) >= 0) return
  throw new CniError(cniErrorCode.incompatibleVersion, `CNI ${version} has no ${command}`, {
    fix: `Set cniVersion to ${since} or later.`,
  })
}

function invalid(problem: string, fix: string): CniError {
  return new CniError(cniErrorCode.invalidEnvironment, problem, { fix })
}

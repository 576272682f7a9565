import { CniError, cniErrorCode } from './errors.ts'
import type { NetworkConfig, NetworkConfigList } from './request.ts'
import { assumedVersion, compareVersions, isSupportedVersion, supportedVersions } from './versions.ts'

const validName = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/

export function isValidName(name: string): boolean {
  return validName.test(name)
}

/**
 * Parses a configuration or a configuration list, as a file in `net.d`, an entry of `delegates` or a
 * NetworkAttachmentDefinition holds it. A single configuration becomes a list of one.
 *
 * `defaultName` is used when the configuration has no name (NPWG standard: the NetworkAttachmentDefinition's).
 * Throws CniError: 6 no JSON, 7 a wrong value, 1 no supported version.
 */
export function parseConfigList(text: string, options: { defaultName?: string } = {}): NetworkConfigList {
  return readConfigList(parseJson(text, 'network configuration'), options)
}

/** Like parseConfigList, for JSON that is parsed already. */
export function readConfigList(raw: unknown, options: { defaultName?: string } = {}): NetworkConfigList {
  const source = asObject(raw, 'network configuration')
  const name = readName(source.name, options.defaultName)
  const cniVersion = chooseVersion(source)
  const plugins = Array.isArray(source.plugins) ? source.plugins : [source]
  if (plugins.length === 0) throw invalid(`network "${name}": plugins is empty`, 'List at least one plugin.')
  return {
    cniVersion,
    name,
    ...(isTrue(source.disableCheck) ? { disableCheck: true } : {}),
    ...(isTrue(source.disableGC) ? { disableGC: true } : {}),
    plugins: plugins.map((plugin) => readPlugin(plugin, { name, cniVersion })),
  }
}

/** Parses what a runtime writes to a plugin's standard input. Throws CniError. */
export function parsePluginConfig(text: string): NetworkConfig {
  const source = asObject(parseJson(text, 'configuration on standard input'), 'configuration on standard input')
  return readPlugin(source, { name: readName(source.name), cniVersion: readVersion(source.cniVersion) })
}

/**
 * What one plugin of a chain gets on standard input (CNI spec section 4, "Deriving"): the list's name and version,
 * the previous result; `capabilities` is for the runtime only and dropped.
 */
export function derivePluginConfig(
  list: NetworkConfigList,
  plugin: NetworkConfig,
  prevResult?: unknown,
): NetworkConfig {
  const { capabilities: _, ...rest } = plugin
  return {
    ...rest,
    type: plugin.type,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(prevResult === undefined ? {} : { prevResult }),
  }
}

/** The part of the runtime's values that a plugin declares with `capabilities`. */
export function selectRuntimeConfig(
  plugin: NetworkConfig,
  available: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(available).filter(([key, value]) => value !== undefined && plugin.capabilities?.[key] === true),
  )
}

function readPlugin(raw: unknown, list: { name: string; cniVersion: string }): NetworkConfig {
  const source = asObject(raw, `plugin of network "${list.name}"`)
  const type = source.type
  if (typeof type !== 'string' || type === '') {
    throw invalid(`network "${list.name}": type is missing`, 'Name the CNI plugin in the field type.')
  }
  if (type.includes('/')) throw invalid(`network "${list.name}": type "${type}" has a "/"`, 'Use the bare file name.')
  return { ...source, type, name: list.name, cniVersion: list.cniVersion }
}

function readName(value: unknown, otherwise?: string): string {
  const name = value === undefined || value === null || value === '' ? otherwise : value
  if (name === undefined) throw invalid('name is missing', 'Give the network a name.')
  if (typeof name === 'string' && isValidName(name)) return name
  throw invalid(
    `name ${JSON.stringify(name)} is not a network name`,
    'Use letters, digits, "_", "." and "-", beginning with a letter or digit.',
  )
}

function chooseVersion(source: Record<string, unknown>): string {
  const offered = Array.isArray(source.cniVersions) ? source.cniVersions : []
  const candidates = [source.cniVersion, ...offered].filter(
    (version): version is string => typeof version === 'string' && isSupportedVersion(version),
  )
  return candidates.toSorted(compareVersions).at(-1) ?? readVersion(source.cniVersion)
}

function readVersion(value: unknown): string {
  if (value === undefined || value === null || value === '') return assumedVersion
  if (typeof value === 'string' && isSupportedVersion(value)) return value
  throw new CniError(cniErrorCode.incompatibleVersion, `cniVersion ${JSON.stringify(value)} is not supported`, {
    fix: `Use one of ${supportedVersions.join(', ')}.`,
  })
}

/** Some configurations write booleans as text; libcni takes both. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true'
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CniError(cniErrorCode.decodingFailure, `${what} is not JSON: ${(cause as Error).message}`)
  }
}

function asObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new CniError(cniErrorCode.decodingFailure, `${what} is not an object`)
}

function invalid(problem: string, fix: string): CniError {
  return new CniError(cniErrorCode.invalidNetworkConfig, problem, { fix })
}

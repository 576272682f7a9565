import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, describeError } from '../../../base/errors.ts'
import { parseConfigList } from '../../../cni/config.ts'
import { isMetaConfig } from '../../../meta/net-conf.ts'
import type { PrimaryConf } from './build-multus-conf.ts'

/** A default network's configuration and its file. */
export type FoundPrimary = PrimaryConf & { readonly path: string }

/**
 * The default network's configuration: the named file, or the lexically first .conf or .conflist of the folder that is
 * no meta-plugin's. A file that is in that place but cannot be used is an error and not passed over: the next one may
 * be the wrong network. Throws ConfigError.
 */
export async function findPrimary(folder: string, fileName?: string): Promise<FoundPrimary> {
  if (fileName !== undefined) {
    const primary = await readPrimary(join(folder, fileName))
    if (primary !== undefined) return primary
    throw refuse(join(folder, fileName), 'is a meta-plugin’s configuration itself')
  }
  for (const name of await listCandidates(folder)) {
    const primary = await readPrimary(join(folder, name))
    if (primary !== undefined) return primary
  }
  throw refuse(folder, 'has no configuration of a default network')
}

async function listCandidates(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder)
    return names.filter((name) => /\.conf(list)?$/.test(name) && !name.startsWith('00-multus')).sort()
  } catch (cause) {
    throw refuse(folder, 'cannot be read', cause)
  }
}

/** Undefined when the file is a meta-plugin's. */
async function readPrimary(path: string): Promise<FoundPrimary | undefined> {
  try {
    const text = await readFile(path, 'utf8')
    if (text.trim() === '') throw new Error('the file is empty')
    const { name, cniVersion, plugins } = parseConfigList(text)
    return plugins.some(isMetaConfig) ? undefined : { path, name, cniVersion, content: JSON.parse(text) }
  } catch (cause) {
    throw refuse(path, `cannot be used as the default network: ${describeError(cause)}`, cause)
  }
}

function refuse(path: string, problem: string, cause?: unknown): ConfigError {
  return new ConfigError(path, problem, {
    fix: 'Install the default network first, or name its file with --multus-master-cni-file-name.',
    ...(cause === undefined ? {} : { cause }),
  })
}

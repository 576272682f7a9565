import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { describeError, errorCode } from '../base/errors.ts'
import { parseConfigList } from '../cni/config.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { NetworkConfigList } from '../cni/request.ts'

/** The network configurations in a folder, as a runtime would find them. */
export interface NetworkFiles {
  readonly lists: readonly { readonly path: string; readonly list: NetworkConfigList }[]
  /** What is wrong with the files that cannot be used; they stand in nobody's way. */
  readonly problems: readonly string[]
}

/** Files of a folder that end in .conf, .conflist or .json, in lexical order. A folder that is not there is empty. */
export async function readNetworkFolder(folder: string): Promise<NetworkFiles> {
  const names = (await listFolder(folder)).filter((name) => /\.(conf|conflist|json)$/.test(name)).sort()
  const found = await Promise.all(names.map((name) => tryRead(join(folder, name))))
  return {
    lists: found.filter((item) => 'list' in item),
    problems: found.flatMap((item) => ('problem' in item ? [item.problem] : [])),
  }
}

/** A network by the path of its file, or of a folder, of which the first file counts. Throws CniError. */
export async function readNetworkPath(path: string): Promise<NetworkConfigList> {
  if (!(await isFolder(path))) return await readNetworkFile(path)
  const { lists, problems } = await readNetworkFolder(path)
  if (lists[0] !== undefined) return lists[0].list
  throw new CniError(
    cniErrorCode.invalidNetworkConfig,
    `no network configuration in ${[path, ...problems].join('; ')}`,
    {
      fix: 'Put the configuration of the default network there.',
    },
  )
}

/**
 * A `.conflist` may have more plugins in a folder beside it that has the network's name (libcni's subdirectory
 * chaining).
 */
async function readNetworkFile(path: string): Promise<NetworkConfigList> {
  const list = parseConfigList(await readText(path))
  if (!path.endsWith('.conflist')) return list
  const { lists } = await readNetworkFolder(join(dirname(path), list.name))
  return { ...list, plugins: [...list.plugins, ...lists.flatMap((each) => each.list.plugins)] }
}

async function tryRead(path: string): Promise<{ path: string; list: NetworkConfigList } | { problem: string }> {
  try {
    const list = parseConfigList(await readText(path), { defaultName: basename(path).replace(/\.\w+$/, '') })
    return { path, list }
  } catch (error) {
    return { problem: `${path}: ${describeError(error)}` }
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new CniError(cniErrorCode.invalidNetworkConfig, `the network configuration ${path} cannot be read`, {
      fix: 'Correct the path, or put the file there.',
      cause,
    })
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

async function listFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
}

import { chmod, copyFile, link, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, errorCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

/** Name of the CNI executable, and `type` of the meta-plugin. */
export const shimName = 'twinlane'

/** Names of the plugins whose roles we take over: configurations written for upstream then work. */
const roleNames = ['calico', 'calico-ipam', 'twinlane-ipam', 'multus', 'multus-shim', 'ovn-k8s-cni-overlay'] as const

/** Part of what the shim says about itself; tells ours from another's. */
const mark = Buffer.from('CNI plugin of Twinlane')

export interface InstalledCni {
  /** Names that belong to another's executable and were left alone. */
  readonly foreign: readonly string[]
}

/**
 * Puts the shim into the folder of plugin executables under its own name and, as hard links, under the names of the
 * roles. Each is replaced by a rename, so that one that runs goes on. Never overwrites a file that is not ours; throws
 * ConfigError when our own name is another's.
 */
export async function installCni(shimPath: string, binFolder: string): Promise<InstalledCni> {
  await mkdir(binFolder, { recursive: true })
  const own = join(binFolder, shimName)
  if ((await ownerOf(own)) === 'foreign') {
    throw new ConfigError(own, 'is not the CNI executable of Twinlane', { fix: 'Move it away.' })
  }
  await replace(own, (temporary) => copyFile(shimPath, temporary))
  const foreign: string[] = []
  for (const name of roleNames) {
    const path = join(binFolder, name)
    if ((await ownerOf(path)) === 'foreign') foreign.push(name)
    else await replace(path, (temporary) => link(own, temporary))
  }
  return { foreign }
}

/** Installs into the first folder of plugin executables and says what it left alone there. */
export async function installShim(
  { shim, cniBinFolders: [binFolder] }: { shim: string; cniBinFolders: readonly string[] },
  log: Log,
): Promise<void> {
  if (binFolder === undefined) throw new Error('there is no folder for CNI executables')
  const { foreign } = await installCni(shim, binFolder)
  if (foreign.length > 0) log.warn({ binFolder, foreign }, "left other vendors' CNI executables alone")
}

async function ownerOf(path: string): Promise<'nobody' | 'ours' | 'foreign'> {
  try {
    return (await readFile(path)).includes(mark) ? 'ours' : 'foreign'
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'nobody'
    throw error
  }
}

async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.new`
  await rm(temporary, { force: true })
  await make(temporary)
  await chmod(temporary, 0o755)
  await rename(temporary, path)
  // Renaming a hard link onto another name of the same file does nothing and leaves both.
  await rm(temporary, { force: true })
}

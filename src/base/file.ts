import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from './errors.ts'
import { syncFolder } from './sync-folder.ts'

/**
 * What a loss of power may do to a written file. `full`: nothing. `content`: the old file may be back. `none`: the file
 * may be gone or empty. A process that is killed does no harm in any case.
 */
export type Durability = 'full' | 'content' | 'none'

/**
 * Replaces a file so that a reader, or a machine that loses power, sees the old or the new content, never a part:
 * write beside, fsync, rename, fsync the folder.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Buffer,
  options: { mode?: number; durability?: Durability } = {},
): Promise<void> {
  const durability = options.durability ?? 'full'
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o644)
    try {
      await file.writeFile(content)
      if (durability !== 'none') await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    if (durability === 'full') await syncFolder(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** The file's text, or undefined if there is no such file. */
export async function findFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../../../base/errors.ts'
import { writeFileAtomic } from '../../../base/file.ts'
import { handleName } from '../ipam/handles.ts'

/**
 * Handles that could not be given back because the API server did not answer. Kept on disk, so that neither DEL nor a
 * restart depends on it.
 */
export class PendingReleases {
  readonly #folder: string

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'routed', 'releases')
  }

  async add(handleId: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    await writeFileAtomic(this.#path(handleId), handleId, { mode: 0o600 })
  }

  async remove(handleId: string): Promise<void> {
    await rm(this.#path(handleId), { force: true })
  }

  async list(): Promise<string[]> {
    try {
      const files = (await readdir(this.#folder)).filter((name) => !name.endsWith('.tmp'))
      return await Promise.all(files.map((name) => readFile(join(this.#folder, name), 'utf8')))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  #path(handleId: string): string {
    return join(this.#folder, handleName(handleId))
  }
}

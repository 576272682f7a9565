import { chown, mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../../../base/errors.ts'
import { findFile, writeFileAtomic } from '../../../base/file.ts'
import { queryBird } from '../../../bird/control.ts'

/** Keeps one running BIRD at a configuration text. */
export class BirdFile {
  readonly #configFile: string
  readonly #socket: string
  #applied: string | undefined

  constructor(paths: { configFile: string; socket: string }) {
    this.#configFile = paths.configFile
    this.#socket = paths.socket
  }

  /**
   * Has BIRD check the text before it replaces the file, then reconfigures. Equal text is no reload: that would be
   * noise at best. Throws BirdError; then file and BIRD are as before.
   */
  async apply(text: string): Promise<void> {
    if (text === this.#applied) return
    const before = await findFile(this.#configFile)
    const candidate = `${this.#configFile}.new`
    try {
      await this.#write(candidate, text)
      await queryBird(this.#socket, `configure check "${candidate}"`)
      await rename(candidate, this.#configFile)
    } finally {
      await rm(candidate, { force: true })
    }
    await this.#configure(before)
    this.#applied = text
  }

  /** Whether the file that BIRD reads says this. */
  async has(text: string): Promise<boolean> {
    return (await findFile(this.#configFile)) === text
  }

  async #configure(before: string | undefined): Promise<void> {
    try {
      await queryBird(this.#socket, 'configure')
    } catch (error) {
      if (before !== undefined) await this.#write(this.#configFile, before)
      throw error
    }
  }

  /** The file may hold passwords; BIRD, which may run as another user, reads it by its group. */
  async #write(path: string, text: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true })
    await writeFileAtomic(path, text, { mode: 0o640 })
    const group = await groupOf(this.#configFile)
    if (group !== undefined) await chown(path, process.getuid?.() ?? 0, group)
  }
}

async function groupOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).gid
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

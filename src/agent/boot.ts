import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../base/errors.ts'

/**
 * Names the time since this host was started, for a note that outlives it: kept in a folder that does not
 * (/run/twinlane). The kernel's own boot ID would do for a machine, but not for a host that is a container.
 */
export async function currentBoot(runFolder: string): Promise<string> {
  const file = join(runFolder, 'boot')
  await mkdir(runFolder, { recursive: true, mode: 0o755 })
  try {
    await writeFile(file, randomUUID(), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  return await readFile(file, 'utf8')
}

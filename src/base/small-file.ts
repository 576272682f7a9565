import { closeSync, constants, fsync, openSync, readFileSync, renameSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { errorCode } from './errors.ts'
import { syncFolder } from './sync-folder.ts'

/*
 * For files of a few kilobytes in the path of a request. The calls block the process for some 20 microseconds, since
 * they only touch the page cache; by the thread pool each of them costs two changes of thread, which is five times as
 * much. What waits for the disk, fsync, is never done here without the pool.
 */

/**
 * Replaces a small file: whoever reads it, also after a kill, sees the old or the new content. `survives` resolves
 * when the new one would also outlive a loss of power.
 */
export function replaceSmallFile(path: string, content: string, mode: number): { survives: Promise<void> } {
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`
  const file = openSync(temporary, 'wx', mode)
  try {
    writeAll(file, content)
    renameSync(temporary, path)
  } catch (error) {
    closeSync(file)
    rmSync(temporary, { force: true })
    throw error
  }
  const survives = syncAndClose(file).then(() => syncFolder(dirname(path)))
  // Whoever waits for it is told; nobody has to.
  survives.catch(() => {})
  return { survives }
}

/** Appends to a file that is there (else ENOENT); a kill, or a loss of power before the next sync, may leave a part of it. */
export function appendToSmallFile(path: string, content: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_APPEND)
  try {
    writeAll(file, content)
  } finally {
    closeSync(file)
  }
}

/** The file's text, or undefined if there is no such file. */
export function findSmallFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Removes a file; one that is not there is removed already. */
export function removeSmallFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

function writeAll(file: number, content: string): void {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}

const sync = promisify(fsync)

async function syncAndClose(file: number): Promise<void> {
  try {
    await sync(file)
  } finally {
    closeSync(file)
  }
}

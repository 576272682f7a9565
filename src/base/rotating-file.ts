import { appendFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { errorCode } from './errors.ts'
import { KeyedLock } from './keyed-lock.ts'

export interface RotationLimits {
  readonly maxBytes: number
  /** How many full files are kept beside the one that is written; 0 keeps all. */
  readonly maxBackups: number
  /** Older ones are removed; 0 keeps all. */
  readonly maxAgeMs: number
}

const lock = new KeyedLock()

/**
 * Appends to a file of text. One that would grow beyond its limit is first renamed to `<name>-<time><extension>`, as
 * lumberjack names them, and backups that are too many or too old are removed.
 */
export function appendRotated(path: string, text: string, limits: RotationLimits): Promise<void> {
  return lock.run(path, async () => {
    const size = await sizeOf(path)
    if (size > 0 && size + Buffer.byteLength(text) > limits.maxBytes) await rotate(path, limits)
    await mkdir(dirname(path), { recursive: true })
    await appendFile(path, text, { mode: 0o640 })
  })
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0
    throw error
  }
}

async function rotate(path: string, { maxBackups, maxAgeMs }: RotationLimits): Promise<void> {
  const { folder, stem, extension } = partsOf(path)
  const time = new Date().toISOString().replaceAll(':', '-').replace('Z', '')
  await rename(path, join(folder, `${stem}-${time}${extension}`))
  const backups = (await readdir(folder)).filter((name) => isBackup(name, stem, extension)).sort()
  const tooMany = maxBackups === 0 ? [] : backups.slice(0, Math.max(0, backups.length - maxBackups))
  const tooOld = maxAgeMs === 0 ? [] : backups.filter((name) => Date.now() - timeOf(name, stem) > maxAgeMs)
  for (const name of new Set([...tooMany, ...tooOld])) await rm(join(folder, name), { force: true })
}

function partsOf(path: string): { folder: string; stem: string; extension: string } {
  const extension = extname(path)
  return { folder: dirname(path), stem: basename(path, extension), extension }
}

const timePattern = /^-(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})/

function isBackup(name: string, stem: string, extension: string): boolean {
  return name.startsWith(stem) && name.endsWith(extension) && timePattern.test(name.slice(stem.length))
}

function timeOf(name: string, stem: string): number {
  const [, date, hours, minutes, seconds] = timePattern.exec(name.slice(stem.length)) ?? []
  return Date.parse(`${date}${hours}:${minutes}:${seconds}Z`)
}

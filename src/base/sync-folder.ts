import { closeSync, fsync, openSync } from 'node:fs'
import { promisify } from 'node:util'

const sync = promisify(fsync)

interface FolderSync {
  readonly running: Promise<void>
  next: Promise<void> | undefined
}

const folders = new Map<string, FolderSync>()

/**
 * Makes sure that the names in a folder survive a loss of power. Those who ask while a sync is under way share the one
 * after it: what they did may have come too late for the first.
 */
export function syncFolder(path: string): Promise<void> {
  const current = folders.get(path)
  if (current === undefined) return startSync(path)
  current.next ??= current.running.catch(() => {}).then(() => startSync(path))
  return current.next
}

function startSync(path: string): Promise<void> {
  const running = syncOpened(path).finally(() => {
    if (folders.get(path)?.running === running) folders.delete(path)
  })
  folders.set(path, { running, next: undefined })
  return running
}

async function syncOpened(path: string): Promise<void> {
  const folder = openSync(path, 'r')
  try {
    await sync(folder)
  } finally {
    closeSync(folder)
  }
}

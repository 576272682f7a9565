import { watch } from 'node:fs'
import { access } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { type DeadlineOptions, defer, withDeadline } from './clock.ts'
import { errorCode } from './errors.ts'
import { retry } from './retry.ts'

/** Resolves when there is a file of this name, by inotify. Its folder must exist. */
export async function fileAppears(path: string, options: DeadlineOptions): Promise<void> {
  const found = defer()
  const look = (): void => void access(path).then(found.resolve, () => {})
  const watcher = watch(dirname(path), (_, name) => {
    if (name === null || name === basename(path)) look()
  })
  watcher.on('error', found.reject)
  try {
    look()
    await withDeadline(found.promise, options)
  } finally {
    watcher.close()
  }
}

/** Resolves when a unix socket accepts connections. The file appears at bind(2), a moment before listen(2). */
export async function socketListens(path: string, options: DeadlineOptions): Promise<void> {
  await fileAppears(path, options)
  const accepts = retry(() => tryConnect(path), {
    minDelayMs: 5,
    maxDelayMs: 100,
    signal: options.signal,
    attempts: 50,
    retryable: (error) => errorCode(error) === 'ECONNREFUSED',
  })
  await withDeadline(accepts, options)
}

function tryConnect(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { errorCode } from '../base/errors.ts'
import { netnsName } from './describe.ts'
import { KernelError } from './errors.ts'
import type { Netns } from './kernel.ts'
import { check, libc } from './libc.ts'

const CLONE_NEWNET = 0x40000000
/** Not /proc/self, which is the main thread's. */
const OWN = '/proc/thread-self/ns/net'

/** This thread's home namespace, and where it is now (the same descriptor when at home). */
let home: number | undefined
let current: number | undefined

/**
 * Runs `work` with this thread inside a namespace, and comes back whatever happens; windows may nest. Inside, nothing
 * may start a thread (it would stay in the namespace for ever), so `work` must be synchronous. When the way back is
 * barred the process aborts: to go on in a foreign namespace would be worse.
 */
export function withNetns<T>(netns: Netns, work: () => T): T {
  return withNetnsFile(netns, (fd) => {
    const before = current ?? fd
    if (fd === before) return refusePromise(work())
    enter(netns, fd)
    current = fd
    try {
      return refusePromise(work())
    } finally {
      if (libc().setns(before, CLONE_NEWNET) !== 0) process.abort()
      current = before
    }
  })
}

/** Runs `work` with a descriptor of the namespace, without entering it. Throws KernelError that names the path. */
export function withNetnsFile<T>(netns: Netns, work: (fd: number) => T): T {
  home ??= openSync(OWN, constants.O_RDONLY)
  current ??= home
  if (netns === undefined) return work(home)
  const fd = openNetns(netns)
  try {
    return work(fd)
  } finally {
    closeSync(fd)
  }
}

/** Closes what the thread keeps open between windows; to be called before it ends. */
export function leaveNetnsBehind(): void {
  if (home !== undefined) closeSync(home)
  home = undefined
  current = undefined
}

/** Whether a descriptor stands for the namespace that this thread is in now. */
export function isCurrentNetns(fd: number): boolean {
  const [one, other] = [fstatSync(fd), fstatSync(current ?? fd)]
  return one.ino === other.ino && one.dev === other.dev
}

function openNetns(netns: string): number {
  try {
    return openSync(netns, constants.O_RDONLY)
  } catch (error) {
    throw new KernelError(`open the network namespace ${netns}`, errorCode(error) ?? 'EIO', '', {
      fix: 'The namespace is gone or was never made; its container or process may have ended.',
      cause: error,
    })
  }
}

function enter(netns: Netns, fd: number): void {
  const what = `enter the network namespace ${netnsName(netns)}`
  try {
    check(what, libc().setns(fd, CLONE_NEWNET))
  } catch (error) {
    const code = errorCode(error) ?? 'EIO'
    const text = code === 'EINVAL' ? 'the file is not a network namespace; its mount may be gone' : ''
    throw new KernelError(what, code, text, { cause: error })
  }
}

function refusePromise<T>(value: T): T {
  if (value instanceof Promise) throw new TypeError('work inside a network namespace must be synchronous')
  return value
}

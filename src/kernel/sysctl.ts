import { readFileSync, writeFileSync } from 'node:fs'
import { errorCode } from '../base/errors.ts'
import { KernelError } from './errors.ts'

/** Writes a kernel setting of the thread's namespace. Throws KernelError unless it is missing and `isOptional`. */
export function writeSysctl(key: string, value: string, isOptional: boolean): void {
  try {
    writeFileSync(sysctlPath(key), value)
  } catch (error) {
    if (isOptional && errorCode(error) === 'ENOENT') return
    throw sysctlError(`set ${key} to ${value}`, error)
  }
}

/** The setting's text without the line's end; undefined when the kernel has no such setting. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(sysctlPath(key), 'utf8').trimEnd()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw sysctlError(`read ${key}`, error)
  }
}

function sysctlPath(key: string): string {
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw new KernelError(`the sysctl ${key}`, 'EINVAL', 'not a key such as net/ipv4/ip_forward')
  }
  return `/proc/sys/${key}`
}

function sysctlError(what: string, error: unknown): KernelError {
  const code = errorCode(error) ?? 'EIO'
  const fix = code === 'EROFS' ? { fix: 'Make /proc/sys writable (a privileged container).' } : {}
  return new KernelError(`sysctl: ${what}`, code, '', { ...fix, cause: error })
}

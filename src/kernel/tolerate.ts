import { KernelError } from './errors.ts'

/** Rethrows unless the kernel refused with one of these errno names. */
export function ignoreKernelCodes(error: unknown, ...codes: string[]): void {
  if (!(error instanceof KernelError) || !codes.includes(error.code)) throw error
}

/** Runs `task`; a refusal with one of these errno names counts as done. Says whether the task itself succeeded. */
export function tolerate(codes: readonly string[], task: () => void): boolean {
  try {
    task()
    return true
  } catch (error) {
    ignoreKernelCodes(error, ...codes)
    return false
  }
}

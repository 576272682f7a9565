import type { ChildProcess } from 'node:child_process'

/** Resolves when the program writes its first output, as a sign that it is ready; rejects when it ends before. */
export function childReady(child: ChildProcess, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`${what} ended before it was ready: ${code ?? signal}`)))
  })
}

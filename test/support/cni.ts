import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { exec } from '../../src/base/exec.ts'

/** How a plugin's execution ended. */
export interface CniOutcome {
  readonly code: number
  readonly json: Record<string, unknown> | undefined
}

/** Compiles the shim into a folder and returns its path. */
export async function buildShim(folder: string): Promise<string> {
  const path = join(folder, 'twinlane-shim')
  if (!existsSync(path)) await exec('musl-gcc', ['-Os', '-static', '-o', path, 'shim/twinlane.c'])
  return path
}

/** Executes a plugin as a container runtime does. Never throws. */
export function runCni(plugin: string, env: Record<string, string>, config: object | string): Promise<CniOutcome> {
  return new Promise((resolve) => {
    const child = execFile(plugin, [], { env: { CNI_PATH: '/usr/lib/cni', ...env } }, (error, stdout) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, json: stdout.trim() === '' ? undefined : JSON.parse(stdout) })
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(typeof config === 'string' ? config : JSON.stringify(config))
  })
}

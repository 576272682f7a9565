import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** Executions of one plugin for many pods, each of which has a namespace of its name. */
export interface ExecutionsForAll {
  /** Path of the executable. */
  readonly plugin: string
  readonly verb: string
  readonly names: readonly string[]
  /** The configuration on standard input. */
  readonly config: object
  /** All at once instead of one after the other. */
  readonly isBurst: boolean
}

/** How long each took, and all together. */
export interface Executions {
  readonly eachMs: readonly number[]
  readonly totalMs: number
}

const run = promisify(execFile)
const source = resolve(import.meta.dirname, 'cni-executor.c')

/** Executes the plugin for all pods as a runtime that costs next to nothing would. Throws when one fails. */
export async function executeForAll({ plugin, verb, names, config, isBurst }: ExecutionsForAll): Promise<Executions> {
  const folder = mkdtempSync(join(tmpdir(), 'twinlane-bench-'))
  try {
    const [executor, input] = [join(folder, 'cni-executor'), join(folder, 'config.json')]
    execFileSync('musl-gcc', ['-O2', '-static', '-o', executor, source])
    writeFileSync(input, JSON.stringify(config))
    const { stdout } = await run(executor, [isBurst ? 'burst' : 'turn', plugin, input, verb, ...names])
    const [totalMs = Number.NaN, ...eachMs] = stdout
      .trim()
      .split('\n')
      .map((line) => Number(line) / 1000)
    return { totalMs, eachMs }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

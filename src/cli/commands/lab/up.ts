import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { ConfigError } from '../../../base/errors.ts'
import { articleConfig } from '../../../lab/article.ts'
import { type LabConfig, parseLabFile } from '../../../lab/config.ts'
import { findSupervisor } from '../../../lab/programs.ts'
import type { LabStatus } from '../../../lab/status.ts'
import { labUp } from '../../../lab/up.ts'
import { type CliIo, print } from '../../io.ts'
import { addStateFlag, type StateFlag, stateFolderOf } from './flags.ts'
import { createProgressView } from './progress-view.ts'

interface UpFlags extends StateFlag {
  file?: string
  kubeconfig?: string
}

export function registerLabUp(lab: Command, io: CliIo): void {
  addStateFlag(lab.command('up'))
    .description('start a lab and wait until its nodes are ready; one that runs already is left as it is')
    .option('-f, --file <lab.yaml>', 'what to build (default: the article’s cluster)')
    .option('--kubeconfig <file>', 'write the kubeconfig here too')
    .action((flags: UpFlags) => up(io, flags))
}

async function up(io: CliIo, flags: UpFlags): Promise<void> {
  const config = await readConfig(io, flags)
  const view = createProgressView(io)
  const { status, wasRunning } = await whileInterruptible((signal) =>
    labUp({
      folder: stateFolderOf(io, flags),
      config,
      kubeconfig: flags.kubeconfig === undefined ? undefined : resolve(io.cwd, flags.kubeconfig),
      supervisor: findSupervisor(import.meta.url),
      onStatus: (now) => view.show(now),
      signal,
    }),
  ).finally(() => view.close())
  print(io, wasRunning ? `The lab "${status.name}" runs already.` : readyLine(status, view.elapsedMs()))
  print(io, `kubeconfig: ${flags.kubeconfig ?? status.kubeconfig}`)
}

function readyLine(status: LabStatus, elapsedMs: number): string {
  const nodes = status.nodes.map((node) => node.name).join(', ')
  return `The lab "${status.name}" is ready after ${(elapsedMs / 1000).toFixed(1)} s: ${nodes}.`
}

async function readConfig(io: CliIo, flags: UpFlags): Promise<LabConfig> {
  if (flags.file === undefined) return articleConfig()
  const path = resolve(io.cwd, flags.file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new ConfigError('--file', `${path} cannot be read`, { fix: 'Name a lab.yaml.', cause: error })
  })
  return parseLabFile(text, flags.file)
}

/** Ctrl-C takes a half-built lab down again, instead of leaving it to go on alone. */
async function whileInterruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    return await run(stop.signal)
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

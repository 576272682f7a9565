import { mkdir, open, realpath, writeFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { isDeepStrictEqual } from 'node:util'
import { TwinlaneError } from '../base/errors.ts'
import { type ChildProcess, spawnProcess } from '../base/exec.ts'
import { findFile } from '../base/file.ts'
import type { LabConfig } from './config.ts'
import { connectControl } from './control-socket.ts'
import { removeState } from './down.ts'
import { checkKubeconfigTarget, copyKubeconfig } from './kubeconfig-file.ts'
import { nodeEnvironment } from './node/command.ts'
import { checkMachine } from './preflight.ts'
import { type StateFolder, stateFolder } from './state-folder.ts'
import type { LabStatus } from './status.ts'

/** A lab could not be started; the message holds what the failing part said last. */
export class LabStartError extends TwinlaneError {}

export interface LabUpOptions {
  /** Any path; made when it is not there. */
  folder: string
  config: LabConfig
  /** Where to write a copy of the kubeconfig. */
  kubeconfig?: string | undefined
  /** Absolute path of the bundled supervisor, beside the other programs. */
  supervisor: string
  /** Is told each status until the lab is ready. */
  onStatus: (status: LabStatus) => void
  /** Aborting takes a half-built lab down again. */
  signal: AbortSignal
}

/**
 * Starts a lab and resolves when it is ready for pods; a lab that runs with the same configuration is left alone.
 * Throws PreflightError, LabStartError.
 */
export async function labUp(options: LabUpOptions): Promise<{ status: LabStatus; wasRunning: boolean }> {
  if (options.kubeconfig !== undefined) await checkKubeconfigTarget(options.kubeconfig)
  await checkMachine([options.supervisor])
  await mkdir(options.folder, { recursive: true })
  const state = stateFolder(await realpath(options.folder))
  const running = await connectControl(state.controlSocket)
  const statuses = running ?? (await startSupervisor(state, options))
  const status = await followToReady(statuses, state, options)
  if (options.kubeconfig !== undefined) await copyKubeconfig(state, options.kubeconfig)
  return { status, wasRunning: running !== undefined }
}

async function startSupervisor(state: StateFolder, options: LabUpOptions): Promise<AsyncIterable<LabStatus>> {
  await writeFile(state.supervisorLog, '')
  await spawnSupervisor(state, options)
  const statuses = await connectControl(state.controlSocket)
  if (statuses !== undefined) return statuses
  throw new LabStartError(`the lab’s supervisor ended at once:\n${await lastLines(state.supervisorLog)}`)
}

/** Resolves when it listens, or has ended because another one was faster. It goes on when this process ends. */
async function spawnSupervisor(state: StateFolder, options: LabUpOptions): Promise<void> {
  const log = await open(state.supervisorLog, 'a')
  try {
    const args = ['--max-old-space-size=512', options.supervisor, '--state', state.folder]
    const child = spawnProcess(process.execPath, args, {
      cwd: '/',
      detached: true,
      env: nodeEnvironment(),
      stdio: ['pipe', log.fd, log.fd, 'pipe'],
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(JSON.stringify(options.config))
    await listeningOrEnded(child)
    child.unref()
  } finally {
    await log.close()
  }
}

function listeningOrEnded(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
    const listening = child.stdio[3] as Readable
    listening.once('close', () => resolve())
    listening.resume()
  })
}

async function followToReady(
  statuses: AsyncIterable<LabStatus>,
  state: StateFolder,
  options: LabUpOptions,
): Promise<LabStatus> {
  let last: LabStatus | undefined
  for await (const status of statuses) {
    if (last === undefined) refuseOther(status, options.config)
    last = status
    options.onStatus(status)
    if (status.phase === 'ready') return status
    if (options.signal.aborted) process.kill(status.supervisor.pid, 'SIGTERM')
  }
  const error = last?.error
  const text = error?.message ?? `the supervisor ended:\n${await lastLines(state.supervisorLog)}`
  await removeState(state)
  throw new LabStartError(`the lab did not start: ${text}`, error?.fix === undefined ? {} : { fix: error.fix })
}

function refuseOther(status: LabStatus, config: LabConfig): void {
  if (isDeepStrictEqual(status.config, JSON.parse(JSON.stringify(config)))) return
  throw new LabStartError(`a lab with another configuration runs in ${status.stateFolder}`, {
    fix: 'Run "twinlane lab down" first, or give this one a folder of its own with --state.',
  })
}

async function lastLines(file: string): Promise<string> {
  return ((await findFile(file)) ?? '').trimEnd().split('\n').slice(-12).join('\n')
}

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, inject } from 'vitest'
import { stringify } from 'yaml'
import { type ExecResult, exec } from '../../../src/base/exec.ts'
import type { KubeClient } from '../../../src/kube/api.ts'
import { createKubeClient } from '../../../src/kube/client.ts'
import { loadKubeConfig } from '../../../src/kube/kubeconfig.ts'
import { articleLab } from '../../../src/lab/article.ts'
import { findStatus } from '../../../src/lab/control-socket.ts'
import { stateFolder } from '../../../src/lab/state-folder.ts'
import type { LabStatus } from '../../../src/lab/status.ts'

const cliFile = resolve('dist/cli.js')

interface RunOptions {
  input?: string
  /** Exit codes that do not throw. @default [0] */
  okCodes?: readonly number[]
}

/** A running lab as tests use it. Commands throw ExecError on a bad exit. */
export interface Lab {
  readonly folder: string
  /** Path of the admin's kubeconfig file. */
  readonly kubeconfig: string
  /** As the cluster's admin. */
  readonly kube: KubeClient
  /** Runs a command on a node, as on that host. */
  exec(node: string, command: readonly string[], options?: RunOptions): Promise<ExecResult>
  /** Runs `twinlane ARGS…` against this lab. */
  cli(args: readonly string[], options?: RunOptions): Promise<ExecResult>
  /** Runs `twinlane ARGS…` and parses what it prints. */
  json<T>(args: readonly string[]): Promise<T>
  status(): Promise<LabStatus>
}

export interface LabOptions {
  /** A lab of its own, gone after the file, instead of the one that the files of a run share. */
  fresh?: boolean
  /** Laid over the article's lab.yaml; only with a fresh lab. */
  config?: object
}

const closing: (() => Promise<void>)[] = []
// This module is loaded once a test file, so this belongs to that file.
afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/**
 * Starts a lab, or finds the shared one running: call it in beforeAll. The shared lab is the article's cluster and
 * keeps what earlier files left in it: clean up what you make.
 */
export async function useLab(options: LabOptions = {}): Promise<Lab> {
  const folder = options.fresh === true ? temporaryLabFolder() : inject('sharedLab')
  const file = join(folder, 'wanted.yaml')
  writeFileSync(file, stringify(layOver(articleLab, options.config ?? {})))
  await twinlane(['lab', 'up', '--state', folder, '-f', file])
  const kubeconfig = stateFolder(folder).kubeconfig
  const kube = createKubeClient(await loadKubeConfig(kubeconfig))
  closing.push(() => kube.close())
  const cli: Lab['cli'] = (args, run) => twinlane(inFolder(args, folder), { ...run, env: { KUBECONFIG: kubeconfig } })
  return {
    folder,
    kubeconfig,
    kube,
    cli,
    exec: (node, command, run) => cli(['lab', 'exec', node, '--', ...command], run),
    json: async (args) => JSON.parse((await cli(args)).stdout),
    status: () => statusOf(folder),
  }
}

/** Values of `over` replace those of `base`, objects are merged key by key. */
function layOver(base: object, over: object): object {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key]
    merged[key] = isPlainObject(before) && isPlainObject(value) ? layOver(before, value) : value
  }
  return merged
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Any command line of `twinlane`, as a user runs it. */
export function twinlane(
  args: readonly string[],
  options: RunOptions & { env?: NodeJS.ProcessEnv } = {},
): Promise<ExecResult> {
  const env = { ...process.env, ...options.env }
  delete env.NODE_EXTRA_CA_CERTS
  const { input, okCodes } = options
  return exec(process.execPath, [cliFile, ...args], {
    env,
    ...(input === undefined ? {} : { input }),
    ...(okCodes === undefined ? {} : { okCodes }),
  })
}

/** A folder that is removed after the file's tests, with the lab in it. */
export function temporaryLabFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'twinlane-lab-')))
  closing.push(async () => {
    await twinlane(['lab', 'down', '--state', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** The status of the lab in a folder. Throws when none runs there. */
export async function statusOf(folder: string): Promise<LabStatus> {
  const status = await findStatus(stateFolder(folder).controlSocket)
  if (status === undefined) throw new Error(`no lab runs in ${folder}`)
  return status
}

/** `lab …` commands are told the folder; others find the API server by KUBECONFIG. */
function inFolder(args: readonly string[], folder: string): string[] {
  const [first, second, ...rest] = args
  return first === 'lab' && second !== undefined ? [first, second, '--state', folder, ...rest] : [...args]
}

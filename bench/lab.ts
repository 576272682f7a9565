import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { exec } from '../src/base/exec.ts'
import { silentLog } from '../src/base/log.ts'
import type { Informer, KubeClient } from '../src/kube/api.ts'
import { createKubeClient } from '../src/kube/client.ts'
import { createInformer } from '../src/kube/informer.ts'
import { loadKubeConfig } from '../src/kube/kubeconfig.ts'
import { type PodResource, pods } from '../src/kube/resources/core.ts'
import { findStatus } from '../src/lab/control-socket.ts'
import { type StateFolder, stateFolder } from '../src/lab/state-folder.ts'
import type { LabStatus } from '../src/lab/status.ts'

const cliFile = resolve(import.meta.dirname, '../dist/cli.js')

/** The article's cluster, running. */
export interface BenchLab {
  readonly state: StateFolder
  readonly status: LabStatus
  /** As the cluster's admin. */
  readonly kube: KubeClient
  /** Follows all pods. */
  readonly pods: Informer<PodResource>
}

/** Starts the article's cluster in a temporary folder, gives it to the task, and removes it whatever happens. */
export async function withLab<T>(task: (lab: BenchLab) => Promise<T>): Promise<T> {
  return await inLabFolder(async (folder) => {
    await labCommand('up', folder)
    return await withClient(folder, task)
  })
}

/** Folders with a lab that is still to be removed. */
const open = new Set<string>()

/** A temporary folder for one lab; the lab and the folder are gone afterwards, also when the process is told to end. */
export async function inLabFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'twinlane-bench-')))
  open.add(folder)
  try {
    return await task(folder)
  } finally {
    await labCommand('down', folder)
    rmSync(folder, { recursive: true, force: true })
    open.delete(folder)
  }
}

/** The lab runs apart from this process, so nothing else would end it after an interrupt or an uncaught error. */
process.once('exit', () => {
  for (const folder of open) {
    spawnSync(process.execPath, [cliFile, 'lab', 'down', '--state', folder], { stdio: 'ignore' })
    rmSync(folder, { recursive: true, force: true })
  }
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))

/** Runs `twinlane lab up` or `down` as a user does; resolves with the progress it told. Throws ExecError. */
export async function labCommand(verb: 'up' | 'down', folder: string): Promise<string> {
  const { stdout, stderr } = await exec(process.execPath, [cliFile, 'lab', verb, '--state', folder])
  return stdout + stderr
}

async function withClient<T>(folder: string, task: (lab: BenchLab) => Promise<T>): Promise<T> {
  const state = stateFolder(folder)
  const status = await findStatus(state.controlSocket)
  if (status === undefined) throw new Error(`no lab runs in ${folder}`)
  const kube = createKubeClient(await loadKubeConfig(state.kubeconfig))
  const stop = new AbortController()
  try {
    const informer = createInformer(kube, pods, { log: silentLog })
    await informer.start(stop.signal)
    return await task({ state, status, kube, pods: informer })
  } finally {
    stop.abort()
    await kube.close()
  }
}

/** The process ID, outside, of a process on a node. */
export function processOf({ status }: BenchLab, node: string, name: string): number {
  const found = status.processes.find((process) => process.node === node && process.name === name)
  if (found?.pid === undefined) throw new Error(`${name} does not run on ${node}`)
  return found.pid
}

/** A path of a node's own file system, as this process can open it. */
export function pathOnNode({ status }: BenchLab, node: string, path: string): string {
  const found = status.nodes.find(({ name }) => name === node)
  if (found === undefined) throw new Error(`the lab has no node ${node}`)
  return `/proc/${found.init.pid}/root${path}`
}

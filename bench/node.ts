import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { exec } from '../src/base/exec.ts'
import { enterArguments } from '../src/lab/node/command.ts'
import { type BenchLab, processOf } from './lab.ts'

const root = resolve(import.meta.dirname, '..')

/** Stops the node's kubelet for the task, so that only the bench attaches pods. */
export function withoutKubelet<T>(lab: BenchLab, node: string, task: () => Promise<T>): Promise<T> {
  return withStopped(lab, node, 'kubelet', task)
}

/**
 * Stops the node's Open vSwitch for the task. It answers every new link of its namespace, whoever made it, by
 * configuring its bridges anew: 13 ms of processor time for a pod with two NICs that are none of its business.
 */
export function withoutOpenVSwitch<T>(lab: BenchLab, node: string, task: () => Promise<T>): Promise<T> {
  return withStopped(lab, node, 'ovs-vswitchd', task)
}

async function withStopped<T>(lab: BenchLab, node: string, name: string, task: () => Promise<T>): Promise<T> {
  const pid = processOf(lab, node, name)
  process.kill(pid, 'SIGSTOP')
  try {
    return await task()
  } finally {
    process.kill(pid, 'SIGCONT')
    // nsenter stops with its child, and does not go on with it.
    process.kill(await parentOf(pid), 'SIGCONT')
  }
}

/** Runs a program of this folder on a node, with the job as its argument; resolves with the JSON that it prints. */
export async function runOnNode<R>(
  { status }: BenchLab,
  node: string,
  { program, job }: { program: string; job: object },
): Promise<R> {
  const init = status.nodes.find(({ name }) => name === node)?.init.pid
  if (init === undefined) throw new Error(`the lab has no node ${node}`)
  const tsx = resolve(root, 'node_modules/tsx/dist/cli.mjs')
  const command = [process.execPath, tsx, resolve(root, `bench/${program}.ts`), JSON.stringify(job)]
  const { stdout } = await exec('nsenter', enterArguments(init, command), { timeoutMs: 300_000 })
  return JSON.parse(stdout) as R
}

async function parentOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')[1])
}

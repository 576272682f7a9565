/**
 * Plays the container runtime on a node: executes the CNI plugin for many pods and prints how long each call took.
 *   tsx bench/cni-runner.ts '<Job as JSON>'
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Kernel } from '../src/kernel/kernel.ts'
import { createKernel } from '../src/kernel/linux.ts'
import { type Executions, executeForAll } from './execute-for-all.ts'
import { timed } from './execute-plugin.ts'

/**
 * What the runner is to do; pod `<prefix>-<n>` has container and namespace of the same name. The namespaces are there
 * from the job that has ADD to the one that has DEL.
 */
export interface Job {
  readonly prefix: string
  readonly count: number
  readonly verbs: readonly ('ADD' | 'DEL')[]
  /** All calls of a verb at once instead of one after the other. */
  readonly isBurst: boolean
  /** The name of the executable. @default twinlane */
  readonly plugin?: string
  /** The configuration on standard input, as in net.d. */
  readonly config: object
  /** Also measure what the kernel and the executable cost by themselves. */
  readonly withFloor?: boolean
}

export interface JobResult {
  readonly calls: Readonly<Record<string, Executions>>
  readonly floor?: Floor
}

/** What the kernel and the executable cost by themselves, for each pod. */
export interface Floor {
  readonly attachMs: readonly number[]
  readonly detachMs: readonly number[]
  readonly executableMs: readonly number[]
}

const pathOf = (plugin = 'twinlane'): string => `/opt/cni/bin/${plugin}`
const run = promisify(execFile)

async function main(job: Job): Promise<JobResult> {
  const names = Array.from({ length: job.count }, (_, index) => `${job.prefix}-${index}`)
  if (job.verbs.includes('ADD')) await eachInTurn(names, (name) => run('ip', ['netns', 'add', name]))
  try {
    const calls: Record<string, Executions> = {}
    const floor = job.withFloor === true ? await measureFloor(names) : undefined
    for (const verb of job.verbs) calls[verb] = await callAll(job, verb, names)
    return floor === undefined ? { calls } : { calls, floor }
  } finally {
    if (job.verbs.includes('DEL')) await eachInTurn(names, (name) => run('ip', ['netns', 'del', name]))
  }
}

function callAll(job: Job, verb: string, names: readonly string[]): Promise<Executions> {
  return executeForAll({ ...job, plugin: pathOf(job.plugin), verb, names })
}

/**
 * Two veth pairs with an address by the kernel's own interface, their deletion in one message, and an execution of the
 * plugin that asks nobody.
 */
async function measureFloor(names: readonly string[]): Promise<Floor> {
  const kernel = createKernel()
  const attachMs: number[] = []
  const detachMs: number[] = []
  for (const name of names) {
    attachMs.push(await timed(() => makeTwoPairs(kernel, `/run/netns/${name}`)))
    detachMs.push(await timed(() => kernel.apply(undefined, [{ op: 'deleteLinkGroup', group: floorGroup }])))
  }
  await kernel.close()
  const asking = { plugin: pathOf(), verb: 'VERSION', names, config: { cniVersion: '1.0.0' }, isBurst: false }
  return { attachMs, detachMs, executableMs: (await executeForAll(asking)).eachMs }
}

const floorGroup = 77

async function makeTwoPairs(kernel: Kernel, netns: string): Promise<void> {
  for (const device of ['eth0', 'eth1']) {
    const peer = { name: device, netns }
    await kernel.apply(undefined, [{ op: 'ensureVeth', name: `f${device}`, peer, isUp: true, group: floorGroup }])
    await kernel.apply(netns, [
      { op: 'setLink', name: device, isUp: true },
      { op: 'ensureAddress', device, address: '192.0.2.1/32' },
    ])
  }
}

async function eachInTurn<T, R>(items: readonly T[], task: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await task(item))
  return results
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '{}'))))
process.exit(0)

/**
 * Plays the container runtime on a node for pods with two networks of the reference plugins: once through our plugin,
 * once by executing those plugins itself, in turn, and prints how long each took.
 *   tsx bench/delegates-runner.ts '<DelegatesJob as JSON>'
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { executePlugin, timed } from './execute-plugin.ts'

export interface DelegatesJob {
  /** Names of pods that there are. */
  readonly pods: readonly string[]
  /** Our configuration on standard input, which names the first network; the pods' annotation names the second. */
  readonly ours: object
  /** The same two networks. */
  readonly networks: readonly { readonly ifName: string; readonly config: { readonly type: string } }[]
}

export type Way = 'ours' | 'direct'

/** What each pod's verb took, in milliseconds. */
export type DelegatesResult = Readonly<
  Record<Way, { readonly ADD: readonly number[]; readonly DEL: readonly number[] }>
>

const run = promisify(execFile)

async function main(job: DelegatesJob): Promise<DelegatesResult> {
  await run('ip', ['link', 'add', 'parent', 'type', 'veth', 'peer', 'name', 'parent-peer'])
  await run('ip', ['link', 'set', 'parent', 'up'])
  const result = { ours: { ADD: [], DEL: [] }, direct: { ADD: [], DEL: [] } } as Record<
    Way,
    { ADD: number[]; DEL: number[] }
  >
  for (const pod of job.pods) {
    for (const way of ['direct', 'ours'] as const) {
      await run('ip', ['netns', 'add', pod])
      for (const verb of ['ADD', 'DEL'] as const) result[way][verb].push(await timed(() => attach(job, way, verb, pod)))
      await run('ip', ['netns', 'del', pod])
    }
  }
  return result
}

async function attach(job: DelegatesJob, way: Way, verb: 'ADD' | 'DEL', name: string): Promise<void> {
  if (way === 'ours') {
    await executePlugin({ plugin: '/opt/cni/bin/twinlane', verb, name, config: job.ours })
    return
  }
  const networks = verb === 'ADD' ? job.networks : job.networks.toReversed()
  for (const { ifName, config } of networks) {
    await executePlugin({ plugin: `/usr/lib/cni/${config.type}`, verb, name, ifName, config })
  }
}

console.log(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '{}'))))
process.exit(0)

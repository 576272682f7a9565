import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '../src/base/observable.ts'
import { type PodResource, pods } from '../src/kube/resources/core.ts'
import type { Bench, Report } from './bench.ts'
import { type PathEnd, withHandBuiltPath } from './hand-built-path.ts'
import { type BenchLab, pathOnNode, withLab } from './lab.ts'
import { measurePath, type PathSpeed } from './path-speed.ts'
import { percentile } from './statistics.ts'

const rounds = 5

const byHand = 'built by hand'
const masqueraded = 'by hand, with masquerading'
const alike = "by hand, with a node's duties"

/**
 * From a pod on one node to a pod on another over eth0, beside the same path built by hand, in turn: all meet the same
 * load. Medians of the rounds. By hand once as plain as can be; once with masquerading of what leaves the cluster, which
 * makes the kernel track connections on whoever's host; and once with the OVN network's routing rules too, which each
 * lookup of a route passes. Only the last does what a node of the cluster does, but for the checks of what pods send.
 */
export const routedForwarding: Bench = (report) =>
  withLab(async (lab) => {
    const [from, to] = await Promise.all([startPod(lab, 'from', 'work01'), startPod(lab, 'to', 'work02')])
    const byHandToo = async (paths: readonly MeasuredPath[], left: readonly HandBuilt[]): Promise<void> => {
      const [next, ...rest] = left
      if (next === undefined) return await measureAll(report, [...paths, { name: 'eth0', from, to, speeds: [] }])
      await withHandBuiltPath(lab, next.options, (one, other) =>
        byHandToo([...paths, { name: next.name, from: one, to: other, speeds: [] }], rest),
      )
    }
    await byHandToo([], handBuilt)
  })

interface HandBuilt {
  readonly name: string
  readonly options: Parameters<typeof withHandBuiltPath>[1]
}

const handBuilt: readonly HandBuilt[] = [
  { name: byHand, options: { path: 0 } },
  { name: masqueraded, options: { path: 1, masquerades: true } },
  { name: alike, options: { path: 2, masquerades: true, hasRules: true } },
]

interface MeasuredPath {
  readonly name: string
  readonly from: PathEnd
  readonly to: PathEnd
  readonly speeds: PathSpeed[]
}

async function measureAll(report: Report, paths: readonly MeasuredPath[]): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const path of paths) path.speeds.push(await measurePath(path.from, path.to))
  }
  reportAll(report, paths)
}
/** The first path is what the others are compared with; the last is ours, which is compared with its like too. */
function reportAll(report: Report, paths: readonly MeasuredPath[]): void {
  const figures = [
    { what: 'TCP, one stream', unit: 'Gbit/s', read: (speed: PathSpeed) => speed.gigabitsPerSecond },
    { what: 'UDP round trip p50', unit: 'us', read: (speed: PathSpeed) => speed.roundTripP50Us },
    { what: 'UDP round trip p99', unit: 'us', read: (speed: PathSpeed) => speed.roundTripP99Us },
  ] as const
  for (const { what, unit, read } of figures) {
    for (const { name, speeds } of paths) {
      const value = percentile(speeds.map(read), 50)
      const label = `${what}, ${name}`
      if (name === byHand) report(label, value, unit)
      else report(label, value, unit, `${what}, ${byHand}`)
      if (name === 'eth0') report(`${what}, eth0 again`, value, unit, `${what}, ${alike}`)
    }
  }
}

async function startPod(lab: BenchLab, name: string, node: string): Promise<PathEnd> {
  const pod: PodResource = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'busybox:1.28', command: ['sleep', '36000'] }] },
  }
  await lab.kube.create(pods, pod)
  const addressOf = (): string | undefined => {
    const { status } = lab.pods.get(name, 'default') ?? {}
    return status?.phase === 'Running' ? status.podIP : undefined
  }
  const address = await waitFor(lab.pods, addressOf, { what: `pod ${name} to run`, timeoutMs: 60_000 })
  return { address, netns: await netnsOf(lab, { name, node }) }
}

/** From the agent's record of the attachment. */
async function netnsOf(lab: BenchLab, { name, node }: { name: string; node: string }): Promise<string> {
  const folder = pathOnNode(lab, node, '/var/lib/twinlane/attachments')
  for (const file of await readdir(folder)) {
    const text = await readFile(join(folder, file), 'utf8')
    const netns = /"netns":\s*"([^"]+)"/.exec(text)?.[1]
    if (netns !== undefined && text.includes(`"name":"${name}"`)) return pathOnNode(lab, node, netns)
  }
  throw new Error(`the agent of ${node} has no record of ${name}`)
}

import { withDeadline } from '../src/base/clock.ts'
import { retry } from '../src/base/retry.ts'
import { BgpNodes } from '../src/networks/routed/bgp/bgp-nodes.ts'
import type { Bench, Report } from './bench.ts'
import {
  addressOf,
  type Cluster,
  cidrOf,
  compute,
  createAffinity,
  createBlock,
  createCluster,
  type Topology,
} from './bgp-cluster.ts'
import { BirdFleet, type FleetNode } from './bird-fleet.ts'
import { RouteBoard } from './route-board.ts'
import { percentile } from './statistics.ts'

const size = 60
const timeoutMs = 60_000

/** The node that gets a second block. */
const grown = 7

/** Real BIRDs, configured as agents do it: how long until every kernel has every block, and what it costs. */
export const bgp60Nodes: Bench = async (report) => {
  for (const topology of ['mesh', 'two route reflectors'] as const) {
    const board = new RouteBoard()
    const fleet = await BirdFleet.start((node, destination) => board.note(node, destination))
    try {
      await measure(report, topology, { fleet, board })
    } finally {
      await fleet.stop()
    }
  }
}

interface Run {
  readonly topology: Topology
  readonly fleet: BirdFleet
  readonly board: RouteBoard
  /** Those that BIRD has been started for. */
  readonly nodes: FleetNode[]
  readonly bgpNodes: BgpNodes
}

async function measure(
  report: Report,
  topology: Topology,
  { fleet, board }: { fleet: BirdFleet; board: RouteBoard },
): Promise<void> {
  const run: Run = { topology, fleet, board, nodes: [], bgpNodes: new BgpNodes() }
  const tell = (text: string, value: number, unit: 'ms' | 's' | 'MB' | 'sessions'): void =>
    report(`${topology}: ${text}`, value, unit, ...(topology === 'mesh' ? [] : [`mesh: ${text}`]))

  for (let index = 0; index < size; index++) await addNode(run, index)
  const idle = await memoryOf(run)
  const all = createCluster(size, topology)
  const start = await timed(run, () => configureAll(run, all))
  tell('every block in every kernel', start.ms / 1000, 's')
  tell('CPU of all BIRDs for that', start.cpuMs, 'ms')
  tell('sessions', await countSessions(run), 'sessions')
  const memory = await memoryOf(run)
  tell('memory of all BIRDs (PSS)', memory.total, 'MB')
  tell('memory of one BIRD (RSS), p50', memory.typical, 'MB')
  tell('memory of one BIRD (RSS), largest', memory.largest, 'MB')
  tell('memory of one BIRD without peers (RSS), p50', idle.typical, 'MB')

  const block = await timed(run, () => configureAll(run, withBlock(all)))
  tell('one more block in every kernel', block.ms, 'ms')
  tell('CPU of all BIRDs for that block', block.cpuMs, 'ms')

  await addNode(run, size)
  const node = await timed(run, () => configureAll(run, withBlock(createCluster(size + 1, topology))))
  tell('one more node with every block, its own everywhere', node.ms, 'ms')
  tell('CPU of all BIRDs for that node', node.cpuMs, 'ms')
}

async function addNode({ fleet, nodes }: Run, index: number): Promise<void> {
  nodes.push(await fleet.addNode(`node-${index}`, { text: addressOf(index), prefixLength: 16 }))
}

function withBlock(before: Cluster): Cluster {
  const cidr = cidrOf(1000)
  return {
    ...before,
    blocks: [...before.blocks, createBlock(cidr, grown)],
    affinities: [...before.affinities, createAffinity(cidr, grown)],
  }
}

/** As the agents of all nodes do it; equal text is no reload. */
async function configureAll({ nodes, bgpNodes, board }: Run, wanted: Cluster): Promise<void> {
  board.expect(
    nodes.map(({ name }) => ({
      node: name,
      destinations: wanted.blocks.filter(({ spec }) => spec.affinity !== `host:${name}`).map(({ spec }) => spec.cidr),
    })),
  )
  await Promise.all(nodes.map((node) => node.configure(compute(wanted, node.name, bgpNodes))))
}

/** From the beginning of the task until every kernel has what is expected. */
async function timed({ nodes, board }: Run, task: () => Promise<void>): Promise<{ ms: number; cpuMs: number }> {
  const cpu = async (): Promise<number> => sum(await Promise.all(nodes.map((node) => node.cpuMs())))
  const [cpuBefore, startedAt] = [await cpu(), performance.now()]
  await task()
  await withDeadline(board.complete(), {
    what: 'every block in every kernel',
    timeoutMs,
    detail: () => board.missing(),
  })
  const ms = board.completedAt - startedAt
  return { ms, cpuMs: (await cpu()) - cpuBefore }
}

/** Each is counted at both its ends. */
async function countSessions({ nodes, topology }: Run): Promise<number> {
  const wanted = topology === 'mesh' ? (size * (size - 1)) / 2 : 2 * (size - 2) + 1
  const count = async (): Promise<number> => {
    const found = sum(await Promise.all(nodes.map((node) => node.countSessions()))) / 2
    if (found !== wanted) throw new Error(`${found} of ${wanted} sessions are established`)
    return found
  }
  // The last sessions come after the last routes; BIRD tells nobody of either.
  return await retry(count, { attempts: 30, maxDelayMs: 1000 })
}

/** In megabytes. */
async function memoryOf({ nodes }: Run): Promise<{ total: number; typical: number; largest: number }> {
  const each = await Promise.all(nodes.map((node) => node.memory()))
  const resident = each.map((memory) => memory.resident / 1e6)
  return {
    total: sum(each.map(({ share }) => share)) / 1e6,
    typical: percentile(resident, 50),
    largest: percentile(resident, 100),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

import { type Command, InvalidArgumentError, Option } from 'commander'
import { silentLog } from '../../../base/log.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { type MigrationTarget, planMigration, reflectorLabel } from '../../../networks/routed/bgp/migration/plan.ts'
import { abortMigration, type MigrationOptions, runMigration } from '../../../networks/routed/bgp/migration/run.ts'
import { bgpNodesOf, type Topology } from '../../../networks/routed/bgp/migration/topology.ts'
import { loadTopology } from '../../../networks/routed/bgp/migration/write.ts'
import { parseAsNumber } from '../../../networks/routed/virtual-node.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { collect, parseDurationMs } from '../../duration.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { withClient } from '../ipam/load.ts'
import { renderPlan } from './render-plan.ts'

interface MigrateFlags extends ConnectionFlags {
  to?: 'mesh' | 'route-reflectors' | 'tor'
  reflectors?: string[]
  clusterId?: string
  peerIp?: string[]
  peerAs?: number
  dryRun?: boolean
  abort?: boolean
  timeout: number
  skipNode?: string[]
}

export function registerBgpMigrate(bgp: Command, io: CliIo): void {
  addConnectionFlags(bgp.command('migrate'))
    .description(
      'Change who talks BGP to whom without losing a packet: new sessions first, old ones only when every route is\n' +
        'there without them. What fails is taken back. A run that was killed is continued by the same command.',
    )
    .addOption(new Option('--to <topology>', 'what it shall be').choices(['mesh', 'route-reflectors', 'tor']))
    .option('--reflectors <nodes>', 'the route reflectors; those labelled route-reflector=true when not given', names)
    .option('--cluster-id <address>', 'cluster ID of all reflectors; each its own IPv4 address when not given')
    .option('--peer-ip <addresses>', 'the ToR routers', names)
    .option('--peer-as <number>', 'AS number of the ToR routers', asNumber)
    .option('--dry-run', 'show what would be done, and do nothing')
    .option('--abort', 'take back what a run that was killed has done')
    .option('--timeout <time>', 'how long a step may take until it is taken back', parseDurationMs, 60_000)
    .option('--skip-node <name>', 'a node that is down; may be given several times', collect)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  twinlane bgp migrate --to route-reflectors --reflectors master01,master02 --dry-run\n' +
        '  twinlane bgp migrate --to route-reflectors --reflectors master01,master02\n' +
        '  twinlane bgp migrate --to tor --peer-ip 192.168.100.1 --peer-as 65000\n' +
        '  twinlane bgp migrate --to mesh',
    )
    .action((flags: MigrateFlags) => withClient(io, flags, (kube) => runMigrate(io, kube, flags)))
}

async function runMigrate(io: CliIo, kube: KubeClient, flags: MigrateFlags): Promise<void> {
  const options: MigrationOptions = {
    kube,
    log: silentLog,
    timeoutMs: flags.timeout,
    skippedNodes: flags.skipNode ?? [],
    say: (line) => print(io, line),
  }
  if (flags.abort === true) return abort(io, options)
  const topology = await loadTopology(kube)
  const target = targetOf(flags, topology)
  const steps = planMigration(topology, target)
  if (steps.length > 0) print(io, renderPlan(topology, steps))
  if (flags.dryRun === true) return print(io, steps.length === 0 ? 'There is nothing to do.' : 'Nothing was done.')
  await runMigration(target, options, signalOf(io))
  print(io, `Done: ${target.to}.`)
}

async function abort(io: CliIo, options: MigrationOptions): Promise<void> {
  await abortMigration(options, signalOf(io))
  print(io, 'Taken back.')
}

function signalOf(io: CliIo): AbortSignal {
  return io.interruption?.() ?? new AbortController().signal
}

function targetOf(flags: MigrateFlags, topology: Topology): MigrationTarget {
  const { to, reflectors, clusterId, peerIp, peerAs } = flags
  if (to === undefined) throw new UsageError('--to is missing', { fix: 'say mesh, route-reflectors or tor' })
  if (to === 'mesh') return { to }
  if (to === 'route-reflectors') {
    const named = reflectors ?? labelledReflectors(topology)
    if (named.length > 0) return { to, reflectors: named, ...(clusterId === undefined ? {} : { clusterId }) }
    throw new UsageError(`--reflectors is missing, and no node is labelled ${reflectorLabel}=true`)
  }
  if (peerIp !== undefined && peerAs !== undefined) return { to, peerIPs: peerIp, asNumber: peerAs }
  throw new UsageError('--to tor needs --peer-ip and --peer-as')
}

function labelledReflectors(topology: Topology): string[] {
  return bgpNodesOf(topology)
    .filter(({ labels, routeReflectorClusterId }) => labels[reflectorLabel] === 'true' || routeReflectorClusterId)
    .map(({ name }) => name)
}

function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim())
  if (list.includes('')) throw new InvalidArgumentError('Separate names by commas.')
  return list
}

function asNumber(text: string): number {
  const number = parseAsNumber(text)
  if (number === undefined) throw new InvalidArgumentError('It is no AS number.')
  return number
}

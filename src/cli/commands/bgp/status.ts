import type { Command } from 'commander'
import { silentLog } from '../../../base/log.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { findMissingSessions } from '../../../networks/routed/bgp/migration/judge.ts'
import { bgpNodesOf, sessionsOf, type Topology } from '../../../networks/routed/bgp/migration/topology.ts'
import { loadTopology } from '../../../networks/routed/bgp/migration/write.ts'
import type { BgpSession } from '../../../networks/routed/bgp/select-peers.ts'
import { StatusRequest } from '../../../networks/routed/bgp/status-request.ts'
import type { CalicoNodeStatusReport } from '../../../networks/routed/resources.ts'
import { renderBoxTable } from '../../box-table.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { parseDurationMs } from '../../duration.ts'
import { type CliIo, print } from '../../io.ts'
import { withClient } from '../ipam/load.ts'

interface StatusFlags extends ConnectionFlags {
  timeout: number
}

export function registerBgpStatus(bgp: Command, io: CliIo): void {
  addConnectionFlags(bgp.command('status'))
    .description(
      'Ask every node for its BGP sessions and compare them with those that it shall have. Exit code 1 when one is missing.',
    )
    .option('--timeout <time>', 'how long to wait for the nodes to answer', parseDurationMs, 15_000)
    .addHelpText('after', '\nExamples:\n  twinlane bgp status')
    .action((flags: StatusFlags) =>
      withClient(io, flags, async (kube) => {
        const topology = await loadTopology(kube)
        const rows = statusRows(topology, await collectReports(kube, topology, flags.timeout))
        print(io, renderBoxTable(headings, rows))
        if (rows.some(([, , , problem]) => problem !== '')) io.setExitCode(1)
      }),
    )
}

/** Nodes that do not answer in time are left out. */
export async function collectReports(
  kube: KubeClient,
  topology: Topology,
  timeoutMs: number,
): Promise<Map<string, CalicoNodeStatusReport>> {
  const nodes = bgpNodesOf(topology).map(({ name }) => name)
  const request = await StatusRequest.open({ kube, log: silentLog, purpose: 'bgp-status', nodes, classes: ['BGP'] })
  try {
    await request.everyone(timeoutMs).catch(() => {})
    return request.reports()
  } finally {
    await request.close()
  }
}

const headings = ['NODE', 'SESSIONS', 'ESTABLISHED', 'PROBLEM']

/** One row a node; a problem is empty when there is none. */
export function statusRows(
  topology: Topology,
  reports: ReadonlyMap<string, CalicoNodeStatusReport>,
): (readonly [string, string, string, string])[] {
  const wanted = sessionsOf(topology)
  return [...wanted].map(([node, sessions]) => {
    const report = reports.get(node)
    const established = (report?.bgp?.numberEstablishedV4 ?? 0) + (report?.bgp?.numberEstablishedV6 ?? 0)
    const shown = report === undefined ? '?' : String(established)
    return [node, String(sessions.length), shown, problemOf(node, wanted, report)]
  })
}

function problemOf(
  node: string,
  wanted: ReadonlyMap<string, readonly BgpSession[]>,
  report: CalicoNodeStatusReport | undefined,
): string {
  if (report === undefined) return 'the agent does not answer'
  const sessions = wanted.get(node) ?? []
  if (sessions.length === 0 && wanted.size > 1) return 'no session at all'
  const [first, ...more] = findMissingSessions(sessions, report)
  if (first === undefined) return ''
  return more.length === 0 ? first : `${first}, and ${more.length} more`
}

import type { Command } from 'commander'
import type { KubeClient } from '../../kube/api.ts'
import { events } from '../../kube/resources/core.ts'
import { selectionsOf } from '../../networks/routed/bgp/migration/topology.ts'
import { loadTopology } from '../../networks/routed/bgp/migration/write.ts'
import { ipPools } from '../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../connection.ts'
import { type ClusterFacts, diagnose, type Finding } from '../doctor/diagnose.ts'
import { parseDurationMs } from '../duration.ts'
import { type CliIo, print } from '../io.ts'
import { collectReports, statusRows } from './bgp/status.ts'
import { withClient } from './ipam/load.ts'

interface DoctorFlags extends ConnectionFlags {
  timeout: number
}

export function registerDoctor(program: Command, io: CliIo): void {
  addConnectionFlags(program.command('doctor'))
    .description(
      'Look for what is wrong with the routed network, or hardly meant: the address of each node and why it was chosen, sessions that are missing, BGPPeers that select nothing, nodes without reflector or session, more nodes than blocks. Nothing is changed. Exit code 1 when something is found.',
    )
    .option('--timeout <time>', 'how long to wait for the nodes to answer', parseDurationMs, 15_000)
    .addHelpText('after', '\nExamples:\n  twinlane doctor')
    .action((flags: DoctorFlags) =>
      withClient(io, flags, async (kube) => {
        const findings = diagnose(await examine(kube, flags.timeout))
        print(io, renderFindings(findings))
        if (findings.some(({ isProblem }) => isProblem)) io.setExitCode(1)
      }),
    )
}

async function examine(kube: KubeClient, timeoutMs: number): Promise<ClusterFacts> {
  const [topology, pools, told] = await Promise.all([
    loadTopology(kube),
    kube.list(ipPools),
    kube.list(events, { fieldSelector: 'involvedObject.kind=Node' }),
  ])
  const rows = statusRows(topology, await collectReports(kube, topology, timeoutMs))
  return {
    topology,
    selected: selectionsOf(topology),
    pools: pools.items,
    events: told.items,
    sessions: new Map(rows.map(([node, , , problem]) => [node, problem])),
  }
}

/** Grouped by what it is about; problems are marked. */
function renderFindings(findings: readonly Finding[]): string {
  const groups = new Map<string, Finding[]>()
  for (const finding of findings) groups.set(finding.about, [...(groups.get(finding.about) ?? []), finding])
  const problems = findings.filter(({ isProblem }) => isProblem).length
  const lines = [...groups].flatMap(([about, own]) => [
    about,
    ...own.map(({ isProblem, text }) => `  ${isProblem ? '!' : ' '} ${text}`),
  ])
  const end = problems === 0 ? 'nothing is wrong' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`
  return [...lines, end].join('\n')
}

import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { pods } from '../../../kube/resources/core.ts'
import { blockAffinities, ipamHandles } from '../../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, print } from '../../io.ts'
import { findIpamProblems } from './find-problems.ts'
import { loadIpam, withClient } from './load.ts'
import { renderCheck } from './render-check.ts'
import { buildReport } from './report.ts'

interface CheckFlags extends ConnectionFlags {
  showAllIps?: boolean
  showProblemIps?: boolean
  output?: string
}

export function registerIpamCheck(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('check'))
    .description(
      'Compare blocks, claims, pools, handles and pods with one another. Exit code 1 when something does not fit.',
    )
    .option('--show-all-ips', 'every allocated address')
    .option('--show-problem-ips', 'every address with a problem')
    .option('-o, --output <file>', 'write what was found to a file, as JSON, for "ipam release --from-report"')
    .addHelpText('after', '\nExamples:\n  twinlane ipam check --show-problem-ips\n  twinlane ipam check -o report.json')
    .action((flags: CheckFlags) =>
      withClient(io, flags, async (kube) => {
        print(io, 'Checking IPAM for inconsistencies...\n')
        const [state, podList, handles, claims] = await Promise.all([
          loadIpam(kube),
          kube.list(pods),
          kube.list(ipamHandles),
          kube.list(blockAffinities),
        ])
        const facts = { pods: podList.items, handles: handles.items, claims: claims.items }
        const problems = findIpamProblems(state, facts)
        print(io, renderCheck(state, { problems, pods: podList.items }, flags))
        if (flags.output !== undefined) {
          const report = buildReport(state, problems)
          await writeFile(resolve(io.cwd, flags.output), `${JSON.stringify(report, undefined, 2)}\n`)
        }
        // calicoctl ends with 0 in any case; a script could not tell.
        if (problems.length > 0) io.setExitCode(1)
      }),
    )
}

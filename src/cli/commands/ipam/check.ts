import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { pods } from '../../../kube/resources/core.ts'
import { allocationsOf } from '../../../networks/routed/ipam/block.ts'
import { ipamHandles } from '../../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, print } from '../../io.ts'
import { findIpamProblems, type IpamProblem } from './find-problems.ts'
import { type IpamState, loadIpam, withClient } from './load.ts'

interface CheckFlags extends ConnectionFlags {
  showAllIps?: boolean
  showProblemIps?: boolean
  output?: string
}

export function registerIpamCheck(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('check'))
    .description('Compare blocks, pools, handles and pods with one another. Exit code 1 when something does not fit.')
    .option('--show-all-ips', 'every allocated address')
    .option('--show-problem-ips', 'every address with a problem')
    .option('-o, --output <file>', 'write what was found to a file, as JSON')
    .addHelpText('after', '\nExamples:\n  twinlane ipam check --show-problem-ips\n  twinlane ipam check -o report.json')
    .action((flags: CheckFlags) =>
      withClient(io, flags, async (kube) => {
        print(io, 'Checking IPAM for inconsistencies...\n')
        const [state, podList, handles] = await Promise.all([loadIpam(kube), kube.list(pods), kube.list(ipamHandles)])
        const problems = findIpamProblems(state, { pods: podList.items, handles: handles.items })
        print(io, renderCheck(state, problems, flags))
        if (flags.output !== undefined) {
          await writeFile(resolve(io.cwd, flags.output), `${JSON.stringify({ problems }, undefined, 2)}\n`)
        }
        // calicoctl ends with 0 in any case; a script could not tell.
        if (problems.length > 0) io.setExitCode(1)
      }),
    )
}

const kinds: readonly [IpamProblem['kind'], string][] = [
  ['leaked address', 'IPs that are allocated in IPAM but not actually in use'],
  ['address not allocated', 'in-use IPs that are not allocated in IPAM'],
  ['address in no pool', 'IPs that are in no pool'],
  ['leaked handle', 'handles that hold nothing'],
  ['missing handle', 'handles that are no objects'],
]

function renderCheck({ blocks }: IpamState, problems: readonly IpamProblem[], flags: CheckFlags): string {
  const allocations = blocks.flatMap(allocationsOf)
  const all =
    flags.showAllIps === true
      ? allocations.map(({ address, attributes }) => `  ${address} ${attributes.handle_id}`)
      : []
  return [
    `Found ${blocks.length} IPAM blocks.`,
    `Found ${allocations.length} allocated IPs.`,
    ...all,
    ...kinds.flatMap(([kind, text]) => {
      const found = problems.filter((problem) => problem.kind === kind)
      const lines = flags.showProblemIps === true ? found.map(({ subject, detail }) => `  ${subject} ${detail}`) : []
      return [`Found ${found.length} ${text}.`, ...lines]
    }),
    `\nCheck complete; found ${problems.length} problems.`,
  ].join('\n')
}

import { type Command, Option } from 'commander'
import { getRunningLab } from '../../../lab/running.ts'
import type { LabStatus } from '../../../lab/status.ts'
import { type CliIo, print } from '../../io.ts'
import { renderTable } from '../../text-table.ts'
import { addStateFlag, type StateFlag, stateFolderOf } from './flags.ts'

interface StatusFlags extends StateFlag {
  output?: 'json'
}

export function registerLabStatus(lab: Command, io: CliIo): void {
  addStateFlag(lab.command('status'))
    .description('show the nodes, the programs that run on them, and the API server')
    .addOption(new Option('-o, --output <format>', 'format').choices(['json']))
    .action(async (flags: StatusFlags) => {
      const status = await getRunningLab(stateFolderOf(io, flags))
      print(io, flags.output === 'json' ? JSON.stringify(status, null, 2) : render(status))
    })
}

function render(status: LabStatus): string {
  const interfaces = status.config.fabric.networks.map((network) => network.interface)
  const nodes = status.nodes.map((node) => [
    node.name,
    node.isReady ? 'Ready' : 'NotReady',
    ...interfaces.map((name) => node.addresses[name]),
    String(node.init.pid),
  ])
  const programs = [...status.processes]
    .sort((a, b) => a.node.localeCompare(b.node) || a.name.localeCompare(b.name))
    .map((each) => [each.node, each.name, each.phase, each.pid?.toString() ?? '-', String(each.restarts)])
  return [
    `lab:        ${status.name} (${status.phase}), supervisor pid ${status.supervisor.pid}`,
    `API server: ${status.api.join(', ') || '-'}`,
    `kubeconfig: ${status.kubeconfig}`,
    `folder:     ${status.stateFolder}`,
    '',
    renderTable(['NODE', 'STATUS', ...interfaces.map((name) => name.toUpperCase()), 'PID'], nodes),
    '',
    renderTable(['NODE', 'PROGRAM', 'STATE', 'PID', 'RESTARTS'], programs),
  ].join('\n')
}

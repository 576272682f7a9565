import type { Command } from 'commander'
import { execOnHost, getRunningLab } from '../../../lab/running.ts'
import type { CliIo } from '../../io.ts'
import { addStateFlag, type StateFlag, stateFolderOf } from './flags.ts'

export function registerLabExec(lab: Command, io: CliIo): void {
  addStateFlag(lab.command('exec'))
    .description('run a command on a node of the lab, or on its router "tor", as on that host')
    .argument('<node>', 'name of the node')
    .argument('<command...>', 'the command, best after --')
    .passThroughOptions()
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane lab exec work01 -- ovs-vsctl show\n  twinlane lab exec tor -- ip addr',
    )
    .action(async (node: string, words: string[], flags: StateFlag) => {
      // Everything after the node is passed through, the separator too.
      const command = words[0] === '--' ? words.slice(1) : words
      const status = await getRunningLab(stateFolderOf(io, flags))
      const terminal = io.env.TERM === undefined ? {} : { TERM: io.env.TERM }
      io.setExitCode(await execOnHost({ status, host: node, command, env: terminal }))
    })
}

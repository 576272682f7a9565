import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerLabDown } from './down.ts'
import { registerLabExec } from './exec.ts'
import { registerLabStatus } from './status.ts'
import { registerLabUp } from './up.ts'

/** `twinlane lab`: a whole cluster on this machine. */
export function registerLab(program: Command, io: CliIo): void {
  const lab = program
    .command('lab')
    .description('a whole cluster on this machine, in network namespaces')
    .enablePositionalOptions()
  registerLabUp(lab, io)
  registerLabDown(lab, io)
  registerLabStatus(lab, io)
  registerLabExec(lab, io)
}

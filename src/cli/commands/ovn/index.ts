import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerOvnShow } from './show.ts'

export function registerOvn(program: Command, io: CliIo): void {
  const ovn = program.command('ovn').description('The OVN network of the cluster.')
  registerOvnShow(ovn, io)
}

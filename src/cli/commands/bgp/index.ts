import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerBgpMigrate } from './migrate.ts'
import { registerBgpStatus } from './status.ts'

export function registerBgp(program: Command, io: CliIo): void {
  const bgp = program
    .command('bgp')
    .description('BGP of the whole cluster: its sessions, and changes of who talks to whom.')
  registerBgpStatus(bgp, io)
  registerBgpMigrate(bgp, io)
}

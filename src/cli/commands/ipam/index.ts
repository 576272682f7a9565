import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerIpamCheck } from './check.ts'
import { registerIpamConfigure } from './configure.ts'
import { registerIpamRelease } from './release.ts'
import { registerIpamShow } from './show.ts'
import { registerIpamSplit } from './split.ts'

export function registerIpam(program: Command, io: CliIo): void {
  const ipam = program.command('ipam').description('Addresses of the routed network: who has which.')
  registerIpamShow(ipam, io)
  registerIpamCheck(ipam, io)
  registerIpamRelease(ipam, io)
  registerIpamConfigure(ipam, io)
  registerIpamSplit(ipam, io)
}

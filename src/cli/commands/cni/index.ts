import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerCniConfig } from './config.ts'

export function registerCni(program: Command, io: CliIo): void {
  registerCniConfig(program.command('cni').description("The container runtime's side of this node."), io)
}

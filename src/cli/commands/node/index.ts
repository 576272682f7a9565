import type { Command } from 'commander'
import type { CliIo } from '../../io.ts'
import { registerNodeDiags } from './diags.ts'
import { registerNodeFacts } from './facts.ts'
import { registerNodeStatus } from './status.ts'

export function registerNode(program: Command, io: CliIo): void {
  const node = program.command('node').description('About the node that this is run on.')
  registerNodeStatus(node, io)
  registerNodeDiags(node, io)
  registerNodeFacts(node, io)
}

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createKernel } from '../../../kernel/linux.ts'
import { parseOvnSettings } from '../../../networks/ovn/config.ts'
import { collectFacts } from '../../../trace/collect.ts'
import { type CliIo, print } from '../../io.ts'
import { readNodeConfig } from '../../node-settings.ts'

interface FactsFlags {
  config: string
  state: string
  birdSocket: string
}

export function registerNodeFacts(node: Command, io: CliIo): void {
  node
    .command('facts')
    .description(
      'Print, as JSON, what "twinlane trace" asks a node: rules, routes and addresses of the host and its pods, source NAT,\n' +
        "ports of OVN, BIRD's routes. Run it on the node, as root.",
    )
    .option('--config <file>', "the agent's configuration file", '/etc/twinlane/config.yaml')
    .option('--state <dir>', "the agent's records", '/var/lib/twinlane')
    .option('--bird-socket <path>', "BIRD's control socket", '/run/bird/bird.ctl')
    .addHelpText('after', '\nExamples:\n  twinlane node facts')
    .action(async (flags: FactsFlags) => {
      const { nodeName = hostname(), networks } = await readNodeConfig(resolve(io.cwd, flags.config))
      const kernel = createKernel()
      try {
        const { southbound } = parseOvnSettings(networks.ovn)
        const { state: stateFolder, birdSocket } = flags
        print(io, JSON.stringify(await collectFacts({ node: nodeName, kernel, stateFolder, birdSocket, southbound })))
      } finally {
        await kernel.close()
      }
    })
}

import { type Command, InvalidArgumentError } from 'commander'
import type { KubeClient } from '../../../kube/api.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { findShortages } from '../../../networks/routed/cluster/find-shortages.ts'
import { type IPAMConfiguration, ipamConfigurations, ipPools } from '../../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, note, print, UsageError } from '../../io.ts'
import { withClient } from './load.ts'

interface ConfigureFlags extends ConnectionFlags {
  strictaffinity?: boolean
  maxBlocksPerHost?: number
}

export function registerIpamConfigure(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('configure'))
    .description('Change the settings of the address management.')
    .option('--strictaffinity <boolean>', 'a node never borrows addresses from the blocks of others', parseFlag)
    .option('--max-blocks-per-host <count>', 'blocks that a node may have; 0 for the default of 20', parseCount)
    .addHelpText('after', '\nExamples:\n  twinlane ipam configure --strictaffinity=true --max-blocks-per-host=4')
    .action((flags: ConfigureFlags) =>
      withClient(io, flags, async (kube) => {
        const { strictaffinity: strictAffinity, maxBlocksPerHost } = flags
        if (strictAffinity === undefined && maxBlocksPerHost === undefined) {
          throw new UsageError('nothing to configure', { fix: 'say --strictaffinity or --max-blocks-per-host' })
        }
        const change = {
          ...(strictAffinity === undefined ? {} : { strictAffinity }),
          ...(maxBlocksPerHost === undefined ? {} : { maxBlocksPerHost }),
        }
        const found = await kube.find(ipamConfigurations, 'default')
        const wanted: IPAMConfiguration = {
          ...(found ?? { metadata: { name: 'default' } }),
          spec: { strictAffinity: false, autoAllocateBlocks: true, maxBlocksPerHost: 0, ...found?.spec, ...change },
        }
        if (found === undefined) await kube.create(ipamConfigurations, wanted)
        else await kube.update(ipamConfigurations, wanted)
        print(io, 'Successfully set the IPAM configuration')
        if (wanted.spec.strictAffinity === true) for (const warning of await shortages(kube)) note(io, warning)
      }),
    )
}

/** Nodes that find no block get no pods any more, where they borrowed before. */
async function shortages(kube: KubeClient): Promise<string[]> {
  const [pools, nodeList] = await Promise.all([kube.list(ipPools), kube.list(nodes)])
  return findShortages(pools.items, nodeList.items).map(
    ({ pool, message }) => `warning: IPPool ${pool.metadata.name}: ${message}`,
  )
}

function parseFlag(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new InvalidArgumentError('It must be true or false.')
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

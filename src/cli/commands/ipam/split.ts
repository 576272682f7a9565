import { type Command, InvalidArgumentError } from 'commander'
import { bigintToAddress, parseCidr } from '../../../base/ip.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists } from '../../../kube/errors.ts'
import { partOfAnnotation } from '../../../networks/routed/ipam/check-pool.ts'
import { blockSizeOf } from '../../../networks/routed/ipam/pools.ts'
import { type IPPool, ipPools } from '../../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { withClient } from './load.ts'

interface SplitFlags extends ConnectionFlags {
  cidr?: string
  name?: string
}

export function registerIpamSplit(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('split'))
    .description(
      'Divide a pool into 2, 4, 8 … pools of equal size with its settings. Addresses that are in use stay as they are.',
    )
    .argument('<number>', 'how many pools it shall be', parseNumber)
    .option('--cidr <prefix>', 'the pool, by its prefix')
    .option('--name <pool>', 'the pool, by its name')
    .addHelpText('after', '\nExamples:\n  twinlane ipam split 4 --cidr=10.244.0.0/16')
    .action((count: number, flags: SplitFlags) =>
      withClient(io, flags, async (kube) => {
        const pool = await findPool(kube, flags)
        const parts = splitPool(pool, count)
        await replacePool(kube, pool, parts)
        print(io, `Successfully split IPPool ${pool.metadata.name} into:`)
        for (const { metadata, spec } of parts) print(io, `  ${metadata.name} ${spec.cidr}`)
      }),
    )
}

function parseNumber(text: string): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= 2 && Number.isInteger(Math.log2(number))) return number
  throw new InvalidArgumentError('It must be a power of two: 2, 4, 8 …')
}

async function findPool(kube: KubeClient, { cidr, name }: SplitFlags): Promise<IPPool> {
  if ((cidr === undefined) === (name === undefined)) {
    throw new UsageError('which pool?', { fix: 'say either --cidr or --name' })
  }
  const { items } = await kube.list(ipPools)
  const found = items.find(({ metadata, spec }) => metadata.name === name || spec.cidr === cidr)
  if (found !== undefined) return found
  const known = items.map(({ metadata, spec }) => `${metadata.name} ${spec.cidr}`).join(', ')
  throw new UsageError(`there is no IPPool ${name ?? cidr}`, { fix: `there are ${known || 'none'}` })
}

/** The parts, each with the settings of the whole. Throws UsageError when a part would be smaller than a block. */
export function splitPool({ metadata, spec }: IPPool, count: number): IPPool[] {
  const { first, family, prefixLength } = parseCidr(spec.cidr)
  const length = prefixLength + Math.log2(count)
  const blockSize = blockSizeOf({ metadata, spec })
  if (length > blockSize) {
    throw new UsageError(`a part of ${spec.cidr} would be a /${length}, and its blocks are /${blockSize}`, {
      fix: `split it into ${2 ** (blockSize - prefixLength)} or fewer`,
    })
  }
  const size = 1n << BigInt((family === 4 ? 32 : 128) - length)
  return Array.from({ length: count }, (_, index) => ({
    metadata: {
      name: `${metadata.name}-${index}`,
      annotations: { [partOfAnnotation]: metadata.name },
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
    },
    spec: { ...spec, blockSize, cidr: `${bigintToAddress(first + BigInt(index) * size, family)}/${length}` },
  }))
}

/**
 * Makes the parts, then deletes the whole: no prefix is without a pool in between. Done again after it was cut short, it
 * goes on.
 */
async function replacePool(kube: KubeClient, pool: IPPool, parts: readonly IPPool[]): Promise<void> {
  for (const part of parts) {
    try {
      await kube.create(ipPools, part)
    } catch (error) {
      const found = isAlreadyExists(error) ? await kube.find(ipPools, part.metadata.name) : undefined
      if (found?.spec.cidr !== part.spec.cidr) throw error
    }
  }
  const { name, uid } = pool.metadata
  await kube.delete(ipPools, name, uid === undefined ? {} : { preconditions: { uid } })
}

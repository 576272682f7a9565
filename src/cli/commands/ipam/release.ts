import type { Command } from 'commander'
import { NotFoundError } from '../../../base/errors.ts'
import { isAddress } from '../../../base/ip.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isConflict } from '../../../kube/errors.ts'
import { pods } from '../../../kube/resources/core.ts'
import { isLeaked, podAllocations } from '../../../networks/routed/cluster/find-leaks.ts'
import { holderOf, releaseAddress } from '../../../networks/routed/ipam/block.ts'
import { ipamBlocks } from '../../../networks/routed/resources.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { loadIpam, withClient } from './load.ts'

interface ReleaseFlags extends ConnectionFlags {
  ip: string
  force?: boolean
}

export function registerIpamRelease(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('release'))
    .description('Give an address back that nobody uses any more.')
    .requiredOption('--ip <address>', 'the address')
    .option('--force', 'even if a pod has it')
    .addHelpText('after', '\nExamples:\n  twinlane ipam release --ip=10.244.83.250')
    .action((flags: ReleaseFlags) =>
      withClient(io, flags, async (kube) => {
        if (!isAddress(flags.ip)) throw new UsageError(`--ip ${flags.ip} is not an address`)
        await release(kube, flags)
        print(io, `Successfully released IP address ${flags.ip}`)
      }),
    )
}

/** Starts over when somebody else has changed the block meanwhile. */
async function release(kube: KubeClient, { ip, force }: ReleaseFlags): Promise<void> {
  for (;;) {
    const { blocks } = await loadIpam(kube)
    const block = blocks.find((candidate) => holderOf(candidate, ip) !== undefined)
    if (block === undefined) {
      throw new NotFoundError(`IP ${ip} is not assigned`, { fix: 'see "twinlane ipam show --show-blocks"' })
    }
    if (force !== true)
      await refuseWhenInUse(
        kube,
        podAllocations([block]).find(({ address }) => address === ip),
      )
    try {
      await kube.update(ipamBlocks, releaseAddress(block, ip))
      return
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }
}

async function refuseWhenInUse(
  kube: KubeClient,
  allocation: ReturnType<typeof podAllocations>[number] | undefined,
): Promise<void> {
  if (allocation === undefined) return
  const pod = await kube.find(pods, allocation.pod, allocation.namespace)
  if (isLeaked(allocation, pod)) return
  throw new UsageError(`IP ${allocation.address} is in use by pod ${allocation.namespace}/${allocation.pod}`, {
    fix: 'delete the pod, or say --force',
  })
}

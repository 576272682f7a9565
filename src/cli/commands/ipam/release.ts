import type { Command } from 'commander'
import { NotFoundError } from '../../../base/errors.ts'
import { isAddress, parseAddress } from '../../../base/ip.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { pods } from '../../../kube/resources/core.ts'
import { isLeaked, podAllocationOf } from '../../../networks/routed/cluster/find-leaks.ts'
import type { BlockAllocation } from '../../../networks/routed/ipam/block.ts'
import { addConnectionFlags, type ConnectionFlags } from '../../connection.ts'
import { collect } from '../../duration.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { withClient } from './load.ts'
import { followHandle, freeAddress } from './release-address.ts'
import { leaksOf, readReport } from './report.ts'

interface ReleaseFlags extends ConnectionFlags {
  ip?: string
  fromReport?: string[]
  force?: boolean
}

export function registerIpamRelease(ipam: Command, io: CliIo): void {
  addConnectionFlags(ipam.command('release'))
    .description(
      'Give addresses back that nobody uses any more: one, or those that "ipam check -o" has found. Of several reports, what all agree on. Every address is looked at once more before it is freed, so the cluster need not be locked.',
    )
    .option('--ip <address>', 'the address')
    .option('--from-report <file>', 'a report of "ipam check -o"; may be given several times', collect)
    .option('--force', 'even if a pod has it')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane ipam release --ip=10.244.83.250\n  twinlane ipam check -o report.json; twinlane ipam release --from-report=report.json',
    )
    .action((flags: ReleaseFlags) =>
      withClient(io, flags, async (kube) => {
        const { ip, fromReport } = flags
        if ((ip === undefined) === (fromReport === undefined)) {
          throw new UsageError('name what to release', { fix: 'say either --ip or --from-report' })
        }
        if (ip !== undefined) await releaseOne(io, kube, { ip, force: flags.force === true })
        if (fromReport !== undefined)
          await releaseReported(io, kube, { files: fromReport, force: flags.force === true })
      }),
    )
}

async function releaseOne(io: CliIo, kube: KubeClient, { ip, force }: { ip: string; force: boolean }): Promise<void> {
  if (!isAddress(ip)) throw new UsageError(`--ip ${ip} is not an address`, { fix: 'e.g. --ip=10.244.83.250' })
  const isFreed = await freeAddress(kube, parseAddress(ip).address, async (allocation) => {
    const user = force ? undefined : await userOf(kube, allocation)
    if (user === undefined) return true
    throw new UsageError(`IP ${ip} is in use by pod ${user}`, { fix: 'delete the pod, or say --force' })
  })
  if (!isFreed) {
    throw new NotFoundError(`IP ${ip} is not assigned`, { fix: 'see "twinlane ipam show --show-blocks"' })
  }
  print(io, `Successfully released IP address ${ip}`)
}

/** An address that was given to somebody else since, or that a pod has after all, stays. */
async function releaseReported(
  io: CliIo,
  kube: KubeClient,
  { files, force }: { files: readonly string[]; force: boolean },
): Promise<void> {
  const reports = await Promise.all(files.map((file) => readReport(io.cwd, file)))
  const leaks = leaksOf(reports)
  let freed = 0
  for (const { address, handle, sequenceNumber } of leaks) {
    const isFreed = await freeAddress(kube, address, async (allocation) => {
      const isSame = (allocation.attributes.handle_id ?? '') === handle && allocation.sequenceNumber === sequenceNumber
      return isSame && (force || (await userOf(kube, allocation)) === undefined)
    })
    if (isFreed) freed += 1
    else print(io, `${address} is not what the report says any more; left alone`)
  }
  const handles = reports[0]?.leakedHandles.map(({ id }) => id) ?? []
  for (const handle of handles) await followHandle(kube, handle)
  print(io, `Released ${freed} of ${leaks.length} IPs, looked at ${handles.length} handles`)
}

/** The pod that has the address, as `namespace/name`. */
async function userOf(kube: KubeClient, allocation: BlockAllocation): Promise<string | undefined> {
  const claimed = podAllocationOf(allocation)
  if (claimed === undefined) return undefined
  const pod = await kube.find(pods, claimed.pod, claimed.namespace)
  return isLeaked(claimed, pod) ? undefined : `${claimed.namespace}/${claimed.pod}`
}

import type { KubeClient } from '../../../kube/api.ts'
import { type IPAMBlock, type IPPool, ipamBlocks, ipPools } from '../../../networks/routed/resources.ts'
import { type ConnectionFlags, connect } from '../../connection.ts'
import type { CliIo } from '../../io.ts'

/** The address management as the API has it. */
export interface IpamState {
  readonly pools: readonly IPPool[]
  readonly blocks: readonly IPAMBlock[]
}

export async function loadIpam(kube: KubeClient): Promise<IpamState> {
  const [pools, blocks] = await Promise.all([kube.list(ipPools), kube.list(ipamBlocks)])
  return { pools: pools.items, blocks: blocks.items.filter(({ spec }) => spec.deleted !== true) }
}

/** Runs a task with a client that is closed afterwards. */
export async function withClient<T>(
  io: CliIo,
  flags: ConnectionFlags,
  task: (kube: KubeClient) => Promise<T>,
): Promise<T> {
  const { client } = await connect(io, flags)
  try {
    return await task(client)
  } finally {
    await client.close()
  }
}

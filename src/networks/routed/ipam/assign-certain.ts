import { cidrContains, cidrOf, type Family, formatCidr, parseCidr } from '../../../base/ip.ts'
import { type IPAMBlock, type IPPool, ipamConfigurations } from '../resources.ts'
import { type ClaimDeps, claimBlock } from './affinity.ts'
import type { AddressRequest } from './assign.ts'
import { type Assignment, assignAddress, type Holder, holderOf, ownerOf, reassignAddress } from './block.ts'
import { IpamError, notAssigned } from './errors.ts'
import { blockSizeOf, poolOf } from './pools.ts'

interface CertainDeps extends ClaimDeps {
  /** Writes what `choose` makes of the block; resolves with the address that it took. */
  take(
    cidr: string,
    holder: Holder,
    choose: (block: IPAMBlock, holder: Holder) => Assignment | undefined,
  ): Promise<string | undefined>
}

/**
 * The address that was asked for; reservations do not matter (as Calico does). When an older container of the same pod
 * interface still has it, because its DEL is yet to come, it is taken over. Throws IpamError saying who has it.
 */
export async function assignCertain(
  deps: CertainDeps,
  request: AddressRequest & { readonly address: string },
): Promise<string> {
  const { address, family, holder, pools } = request
  const pool = poolOf(pools, address)
  if (pool === undefined) {
    throw new IpamError(notAssigned(family, `the address ${address} is in no pool that may be used`), {
      fix: 'ask for an address of an enabled IPPool',
    })
  }
  const text = await blockFor(deps, address, pool)
  await refuseStrict(deps, { text, family, address })
  const taken = await deps.take(text, holder, (block) => chooseCertain(block, request))
  if (taken !== undefined) return taken
  const block = await deps.store.read(text)
  const owner = block === undefined ? undefined : holderOf(block, address)
  throw new IpamError(notAssigned(family, `${address} is already assigned to ${owner?.handle_id ?? 'somebody else'}`), {
    fix: 'ask for another address, or delete the pod that has it',
  })
}

/** The block that has the address, of whatever size it is; else one that is claimed now. */
async function blockFor(deps: CertainDeps, address: string, pool: IPPool): Promise<string> {
  const known = deps.store.view.list().find(({ spec }) => cidrContains(parseCidr(spec.cidr), address))
  if (known !== undefined && (await deps.store.read(known.spec.cidr)) !== undefined) return known.spec.cidr
  const cidr = cidrOf(address, blockSizeOf(pool))
  if ((await deps.store.read(formatCidr(cidr))) === undefined) await claimBlock(deps, cidr)
  return formatCidr(cidr)
}

/** With strict affinity no address of another node's block is given, not even when it is asked for (as Calico does). */
async function refuseStrict(
  { kube, store, nodeName }: CertainDeps,
  { text, family, address }: { text: string; family: Family; address: string },
): Promise<void> {
  const block = store.view.find(text)
  const owner = block === undefined ? undefined : ownerOf(block)
  if (owner === nodeName || (await kube.find(ipamConfigurations, 'default'))?.spec.strictAffinity !== true) return
  const whose = owner === undefined ? 'no node' : `node ${owner}`
  throw new IpamError(
    notAssigned(family, `${address} is in the block ${text} of ${whose} and strict affinity is enabled`),
    {
      fix: 'run the pod on that node, ask for another address, or turn strictAffinity off',
    },
  )
}

function chooseCertain(
  block: IPAMBlock,
  { address, holder, isPredecessor }: AddressRequest & { readonly address: string },
): Assignment | undefined {
  const current = holderOf(block, address)
  if (current === undefined) return assignAddress(block, address, holder)
  const { handle_id: from, secondary } = current
  if (from == null || isPredecessor?.({ handleId: from, secondary: secondary ?? {} }) !== true) return undefined
  return reassignAddress(block, address, { from, to: holder })
}

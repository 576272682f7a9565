import { cidrContains, parseCidr } from '../../../../base/ip.ts'
import type { Link } from '../../../../kernel/kernel.ts'
import { holderOf } from '../../ipam/block.ts'
import { isEarlyHandle } from '../../ipam/handles.ts'
import type { AllocationAttributes } from '../../resources.ts'
import type { NodeContext } from '../context.ts'
import { hostInterfaceName, hostInterfacePrefix, type LinkOwner, parseAlias } from '../names.ts'
import type { Repairs } from './repairs.ts'

const nameForm = new RegExp(`^${hostInterfacePrefix}[0-9a-f]{11}$`)

/**
 * Removes host ends that are nobody's: of an ADD that was killed before it was done, and of pods whose address IPAM
 * says is another's by now. An address that IPAM knows nothing of is no reason: the store may have been restored from
 * an older copy, and the pod runs.
 */
export async function removeStrays(context: NodeContext, repairs: Repairs): Promise<void> {
  for (const { name, kind } of await context.deps.kernel.links(undefined)) {
    if (kind !== 'veth' || !nameForm.test(name)) continue
    await context.locks.run(name, () => removeIfStray(context, name, repairs))
  }
}

/** Under the interface's lock, so that none is taken for stray that is being made. */
async function removeIfStray(context: NodeContext, name: string, repairs: Repairs): Promise<void> {
  const { kernel } = context.deps
  const link = await kernel.findLink(undefined, name)
  const why = link === undefined ? undefined : reasonToRemove(context, link)
  if (why === undefined) return
  await kernel.apply(undefined, [{ op: 'deleteLink', name }])
  repairs.note('stray', { interface: name, because: why })
}

function reasonToRemove(context: NodeContext, link: Link): string | undefined {
  const owner = parseAlias(link.alias)
  if (owner !== undefined) return rivalOf(context, owner, link.name)
  // One that is up is another program's, or that of a Calico that was here before.
  return link.isUp || (link.alias ?? '') !== '' ? undefined : 'an ADD that was cut short'
}

function rivalOf({ store }: NodeContext, owner: LinkOwner, hostName: string): string | undefined {
  const { addresses, containerId, ifName } = owner
  for (const address of addresses) {
    const block = store.view.list().find(({ spec }) => cidrContains(parseCidr(spec.cidr), address))
    const attributes = block === undefined ? undefined : holderOf(block, address)
    const holder = attributes?.handle_id
    if (holder == null || holder.includes(containerId)) continue
    if (!isSamePod(attributes, ifName, hostName)) return `${address} is assigned to ${holder}`
  }
  return undefined
}

/** The address was taken for the pod before it had the container, and the change of holder was cut short. */
function isSamePod(
  { handle_id, secondary }: Pick<AllocationAttributes, 'handle_id' | 'secondary'> = {},
  ifName: string,
  hostName: string,
): boolean {
  const { namespace, pod } = secondary ?? {}
  if (handle_id == null || !isEarlyHandle(handle_id) || namespace === undefined || pod === undefined) return false
  return hostInterfaceName({ namespace, name: pod }, ifName) === hostName
}

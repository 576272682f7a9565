import { runAll } from '../../../base/undo.ts'
import type { AttachmentKey } from '../../driver.ts'
import { allocationsOf } from '../ipam/block.ts'
import { isEarlyHandle } from '../ipam/handles.ts'
import type { NodeContext } from './context.ts'
import { giveBack } from './detach.ts'
import { hostInterfacePrefix, isSameAttachment, parseAlias } from './names.ts'

/** GC: interfaces and addresses of this node that belong to none of `valid` and to no ADD that is under way. */
export async function collectGarbage(context: NodeContext, valid: readonly AttachmentKey[]): Promise<void> {
  const links = await lostLinks(context, valid)
  const handles = lostHandles(context, valid)
  context.deps.log.info({ links, handles: [...handles] }, 'collecting garbage')
  await runAll('garbage collection of the routed network', [
    ...links.map((name) => () => context.deps.kernel.apply(undefined, [{ op: 'deleteLink', name }])),
    ...[...handles].map((handleId) => () => giveBack(context, handleId)),
  ])
}

async function lostLinks({ deps, attaching }: NodeContext, valid: readonly AttachmentKey[]): Promise<string[]> {
  const links = await deps.kernel.links(undefined)
  return links.flatMap(({ name, alias }) => {
    const owner = name.startsWith(hostInterfacePrefix) ? parseAlias(alias) : undefined
    if (owner === undefined || valid.some((key) => isSameAttachment(key, owner))) return []
    return [...attaching].some((handleId) => handleId.endsWith(handleSuffix(owner))) ? [] : [name]
  })
}

/** Only what a pod or container on this node holds: other uses of IPAM are not known to the runtime. */
function lostHandles({ deps, store, attaching }: NodeContext, valid: readonly AttachmentKey[]): Set<string> {
  const suffixes = valid.map(handleSuffix)
  const handles = store.view
    .list()
    .flatMap(allocationsOf)
    .filter(
      ({ attributes: { secondary } }) => secondary?.node === deps.nodeName && (secondary.pod ?? secondary.container),
    )
    .flatMap(({ attributes }) => attributes.handle_id ?? [])
  return new Set(
    handles.filter(
      (handle) =>
        !attaching.has(handle) && !isEarlyHandle(handle) && !suffixes.some((suffix) => handle.endsWith(suffix)),
    ),
  )
}

/** The end of handleIdOf: the network's name may hold dots and is not known here. */
function handleSuffix({ containerId, ifName }: AttachmentKey): string {
  return ifName === 'eth0' ? `.${containerId}` : `.${containerId}.${ifName}`
}

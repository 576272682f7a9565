import { withDeadline } from '../../../base/clock.ts'
import { describeError, TimeoutError } from '../../../base/errors.ts'
import { isTransient } from '../../../kube/errors.ts'
import type { AttachmentKey, AttachmentRef } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { releaseOwn } from '../ipam/release.ts'
import type { NodeContext } from './context.ts'
import { giveBackToPlugin } from './ipam-delegate.ts'
import { hostInterfaceName, isSameAttachment, parseAlias } from './names.ts'

/** How long a DEL waits for the API server before it leaves the release for later. */
const patienceMs = 5000

/** DEL: interface and address. Nothing there is success; an API server that is away is not waited for. */
export async function detach(context: NodeContext, ref: AttachmentRef<RoutedConfig>): Promise<void> {
  const hostName = hostInterfaceName(ref.pod, ref.ifName)
  const { networkName } = ref.config
  await context.locks.run(hostName, () =>
    unplugAndGiveBack(context, ref, {
      hostName,
      handleId: handleIdOf({ networkName, containerId: ref.containerId, ifName: ref.ifName }),
    }),
  )
}

/** The address is free for others only when nothing answers to it any more. */
async function unplugAndGiveBack(
  context: NodeContext,
  ref: AttachmentRef<RoutedConfig>,
  { hostName, handleId }: { hostName: string; handleId: string },
): Promise<void> {
  await unplug(context, hostName, ref)
  await giveBackAll(context, ref, handleId)
}

/** Frees the addresses, of our own pools or of another plugin. */
export async function giveBackAll(
  context: NodeContext,
  ref: AttachmentRef<RoutedConfig>,
  handleId: string,
): Promise<void> {
  if (ref.config.ipamPlugin === undefined) await giveBack(context, handleId)
  else await giveBackToPlugin(context, ref)
}

/** Frees what the handle holds, now, or as soon as the API server is back. */
export async function giveBack(context: NodeContext, handleId: string): Promise<void> {
  const { deps, early, releases } = context
  const held = early.handlesOf(handleId)
  try {
    const release = releaseAll(context, handleId, held)
    await withDeadline(release, { what: `the release of ${handleId}`, timeoutMs: patienceMs })
  } catch (error) {
    if (!isTransient(error) && !(error instanceof TimeoutError)) throw error
    for (const each of held) await releases.add(each)
    deps.log.warn({ handleId, error: describeError(error) }, 'address will be released when the API server is back')
  }
}

async function releaseAll({ early, store, handles }: NodeContext, handleId: string, held: string[]): Promise<void> {
  await early.drop(handleId)
  await Promise.all(held.map((each) => releaseOwn({ store, handles }, each)))
}

/** Removes the interface and with it the route to the pod. One of a newer sandbox of the same pod stays. */
async function unplug({ deps: { kernel } }: NodeContext, hostName: string, key: AttachmentKey): Promise<void> {
  const link = await kernel.findLink(undefined, hostName)
  const owner = parseAlias(link?.alias)
  if (link === undefined || (owner !== undefined && !isSameAttachment(owner, key))) return
  await kernel.apply(undefined, [{ op: 'deleteLink', name: hostName }])
}

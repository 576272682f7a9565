import { withDeadline } from '../../../base/clock.ts'
import { describeError, TimeoutError } from '../../../base/errors.ts'
import { runAll } from '../../../base/undo.ts'
import { isTransient } from '../../../kube/errors.ts'
import type { AttachmentKey, AttachmentRef } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { handleIdOf } from '../ipam/handles.ts'
import { releaseByHandle } from '../ipam/release.ts'
import type { NodeContext } from './context.ts'
import { hostInterfaceName, isSameAttachment, parseAlias } from './names.ts'

/** How long a DEL waits for the API server before it leaves the release for later. */
const patienceMs = 5000

/** DEL: interface and address. Nothing there is success; an API server that is away is not waited for. */
export async function detach(context: NodeContext, ref: AttachmentRef<RoutedConfig>): Promise<void> {
  const hostName = hostInterfaceName(ref.pod, ref.ifName)
  const { networkName } = ref.config
  await context.locks.run(hostName, () =>
    runAll(`detach ${ref.ifName} of ${ref.pod.namespace}/${ref.pod.name}`, [
      () => unplug(context, hostName, ref),
      () => giveBack(context, handleIdOf({ networkName, containerId: ref.containerId, ifName: ref.ifName })),
    ]),
  )
}

/** Frees what the handle holds, now, or as soon as the API server is back. */
export async function giveBack(context: NodeContext, handleId: string): Promise<void> {
  const { deps, store, releases } = context
  try {
    const release = releaseByHandle({ kube: deps.kube, store }, handleId)
    await withDeadline(release, { what: `the release of ${handleId}`, timeoutMs: patienceMs })
  } catch (error) {
    if (!isTransient(error) && !(error instanceof TimeoutError)) throw error
    await releases.add(handleId)
    deps.log.warn({ handleId, error: describeError(error) }, 'address will be released when the API server is back')
  }
}

/** The interface may belong to a newer sandbox of the same pod; then it stays. */
async function unplug({ deps }: NodeContext, hostName: string, key: AttachmentKey): Promise<void> {
  const link = await deps.kernel.findLink(undefined, hostName)
  if (link === undefined) return
  const owner = parseAlias(link.alias)
  if (owner !== undefined && !isSameAttachment(owner, key)) return
  await deps.kernel.apply(undefined, [{ op: 'deleteLink', name: hostName }])
}

import { runAll } from '../base/undo.ts'
import type { AttachmentRef, NodeSide } from '../networks/driver.ts'

/** An attachment to take away, and the network that made it. */
export interface Detachment {
  readonly nodeSide: NodeSide
  readonly ref: AttachmentRef
}

/** Detaches in reverse order of the attachment. Goes on after a failure and throws all failures at the end. */
export async function detachAll(detachments: readonly Detachment[], signal: AbortSignal): Promise<void> {
  const tasks = detachments.toReversed().map(({ nodeSide, ref }) => async () => {
    try {
      await nodeSide.detach(ref, signal)
    } catch (cause) {
      throw new Error(`detaching network "${ref.networkName}" (${ref.ifName})`, { cause })
    }
  })
  await runAll('detaching networks', tasks)
}

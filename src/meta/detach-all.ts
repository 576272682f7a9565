import { CombinedError } from '../base/errors.ts'
import type { AttachmentRef, NodeSide } from '../networks/driver.ts'
import { groupIndependent } from './group-independent.ts'

/** An attachment to take away, and the network that made it. */
export interface Detachment {
  readonly nodeSide: NodeSide
  readonly ref: AttachmentRef
  /** Of the network's capabilities. */
  readonly isIndependent: boolean
}

/**
 * Detaches in reverse order of the attachment, neighbours that do not depend on one another side by side. Goes on
 * after a failure and throws all failures at the end.
 */
export async function detachAll(detachments: readonly Detachment[], signal: AbortSignal): Promise<void> {
  const failures: unknown[] = []
  for (const group of groupIndependent(detachments.toReversed(), ({ isIndependent }) => isIndependent)) {
    const settled = await Promise.allSettled(group.map((detachment) => detachOne(detachment, signal)))
    failures.push(...settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : [])))
  }
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new CombinedError('detaching networks', failures)
}

async function detachOne({ nodeSide, ref }: Detachment, signal: AbortSignal): Promise<void> {
  try {
    await nodeSide.detach(ref, signal)
  } catch (cause) {
    throw new Error(`detaching network "${ref.networkName}" (${ref.ifName})`, { cause })
  }
}

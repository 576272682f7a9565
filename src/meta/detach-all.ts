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
  const failures = (await tryDetachAll(detachments, signal)).map(({ error }) => error)
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new CombinedError('detaching networks', failures)
}

/** A detachment that failed. */
export interface FailedDetachment {
  readonly ref: AttachmentRef
  readonly error: unknown
}

/** As detachAll, for who goes on with those that could be detached: resolves with the others. */
export async function tryDetachAll(
  detachments: readonly Detachment[],
  signal: AbortSignal,
): Promise<FailedDetachment[]> {
  const failed: FailedDetachment[] = []
  for (const group of groupIndependent(detachments.toReversed(), ({ isIndependent }) => isIndependent)) {
    const settled = await Promise.allSettled(group.map((detachment) => detachOne(detachment, signal)))
    for (const [index, { ref }] of group.entries()) {
      const outcome = settled[index]
      if (outcome?.status === 'rejected') failed.push({ ref, error: outcome.reason })
    }
  }
  return failed
}

async function detachOne({ nodeSide, ref }: Detachment, signal: AbortSignal): Promise<void> {
  try {
    await nodeSide.detach(ref, signal)
  } catch (cause) {
    throw new Error(`detaching network "${ref.networkName}" (${ref.ifName})`, { cause })
  }
}

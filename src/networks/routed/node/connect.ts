import { errorCode } from '../../../base/errors.ts'
import type { OperationBatch } from '../../../kernel/kernel.ts'
import type { NodeContext } from './context.ts'
import { addressOperations, hostOperations, type Pair, pairOperations, podOperations, type Wiring } from './wiring.ts'

/** Makes the pair, which needs no address yet. Throws KernelError. */
export async function makePair({ deps: { kernel } }: NodeContext, pair: Pair): Promise<void> {
  await kernel.applyEach(pairBatches(pair))
}

/** Gives a pair that is there its addresses, and lets the pod be reached. Throws KernelError. */
export async function connectPair(context: NodeContext, wiring: Wiring): Promise<void> {
  await applyWithSenders(context, addressBatches(wiring))
}

/** Both in one trip to the kernel, where the addresses are known before. Throws KernelError. */
export async function connectAtOnce(context: NodeContext, wiring: Wiring): Promise<void> {
  await applyWithSenders(context, [...pairBatches(wiring), ...addressBatches(wiring)])
}

/** A table that somebody has deleted is back in a moment; the pod need not fail for it. */
async function applyWithSenders(
  { deps: { kernel }, restoreSenders }: NodeContext,
  batches: readonly OperationBatch[],
): Promise<void> {
  try {
    await kernel.applyEach(batches)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
    await restoreSenders()
    await kernel.applyEach(batches)
  }
}

function pairBatches(pair: Pair): OperationBatch[] {
  return [
    { netns: undefined, operations: pairOperations(pair) },
    { netns: pair.netns, operations: podOperations(pair) },
  ]
}

function addressBatches(wiring: Wiring): OperationBatch[] {
  return [
    { netns: wiring.netns, operations: addressOperations(wiring) },
    { netns: undefined, operations: hostOperations(wiring) },
  ]
}

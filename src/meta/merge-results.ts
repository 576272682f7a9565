import type { CniResult } from '../cni/result.ts'
import { emptyResult } from '../cni/result.ts'

/**
 * What the runtime is told: the default network's result (NPWG standard, section 7.1), as it is true after the
 * default route has moved.
 */
export function mergeResults(attachments: readonly { isDefault: boolean; result: CniResult }[]): CniResult {
  return attachments.find((attachment) => attachment.isDefault)?.result ?? emptyResult
}

import { describeError } from '../base/errors.ts'
import { describeOperation, netnsName } from './describe.ts'
import { KernelError } from './errors.ts'
import type { Netns, Operation } from './kernel.ts'

/** The failure of one operation of a batch: names the operation and the namespace, keeps the kernel's code and text. */
export function operationError(error: unknown, operation: Operation, netns: Netns): KernelError {
  const what = `${describeOperation(operation)} in ${netnsName(netns)}`
  if (!(error instanceof KernelError)) return new KernelError(what, 'EINVAL', describeError(error), { cause: error })
  return new KernelError(what, error.code, error.text, {
    cause: error,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  })
}

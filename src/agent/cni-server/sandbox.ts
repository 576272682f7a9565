import { statSync } from 'node:fs'
import { errorCode } from '../../base/errors.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest } from '../../cni/request.ts'

/**
 * The pod's network namespace, which must be there and, unless CNI_NETNS_OVERRIDE says so, must not be the node's own
 * (CNI spec section 2). Throws CniError.
 */
export function getNetns(request: CniRequest): string {
  const netns = request.netns ?? ''
  const [wanted, own] = [statNetns(netns), statSync('/proc/self/ns/net')]
  if (request.mayUseOwnNetns === true || wanted.ino !== own.ino || wanted.dev !== own.dev) return netns
  throw new CniError(
    cniErrorCode.invalidEnvironment,
    `CNI_NETNS ${netns} is the network namespace of the node itself`,
    {
      fix: "Name the pod's namespace.",
    },
  )
}

function statNetns(netns: string): { ino: number; dev: number } {
  try {
    return statSync(netns)
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new CniError(cniErrorCode.unknownContainer, `there is no network namespace ${netns}`, { cause })
  }
}

import { familyOf } from '../../../base/ip.ts'
import { UndoStack } from '../../../base/undo.ts'
import type { AttachRequest, ExpectedAttachment } from '../../driver.ts'
import type { RoutedConfig } from '../config.ts'
import { poolOf } from '../ipam/pools.ts'
import { releaseOwn } from '../ipam/release.ts'
import { assignAddresses, type Decided, decide, poolsFor } from './assign-addresses.ts'
import type { NodeContext } from './context.ts'
import type { EarlyKey } from './early-claims.ts'

type Request = AttachRequest<RoutedConfig>
type Expected = ExpectedAttachment<RoutedConfig>

/** Claims the addresses of an attachment that is to come. Throws ConfigError, IpamError, KubeError. */
export async function prepare(context: NodeContext, expected: Expected): Promise<void> {
  const request = { ...expected, containerId: expected.pod.uid }
  const decided = await decide(context, request)
  if (expected.config.ipamPlugin !== undefined || !isAnyAddress(decided)) return
  await context.early.claim(keyOf(expected), wishOf(decided), async (handleId) => {
    const undo = new UndoStack()
    undo.push('the addresses', () => releaseOwn(context, handleId))
    try {
      return await assignAddresses(context, request, { ...decided, handleId, signal: AbortSignal.timeout(patienceMs) })
    } catch (error) {
      throw await undo.unwind(error)
    }
  })
}

/** How long a claim that nobody waits for may take. */
const patienceMs = 30_000

/** Whether the addresses are there already, so that the interface can be made with them. */
export function hasEarly({ early }: NodeContext, request: Request): boolean {
  return request.config.ipamPlugin === undefined && early.isReady(keyOf(request))
}

/** What was claimed for the pod before it had this container; waits for a claim that is under way. */
export async function takeEarly(
  context: NodeContext,
  request: Request,
  { decided, handleId }: { decided: Decided; handleId: string },
): Promise<readonly string[] | undefined> {
  if (request.config.ipamPlugin !== undefined || !isAnyAddress(decided)) return undefined
  const mayUse = (address: string): boolean => isOfUsablePool(context, address, decided)
  return await context.early.take(keyOf(request), { wish: wishOf(decided), by: handleId, mayUse })
}

/** A pool may have been disabled, or may select other nodes, since the claim. */
function isOfUsablePool(context: NodeContext, address: string, { plan, namespace }: Decided): boolean {
  const wish = plan.wishes.find(({ family }) => family === familyOf(address))
  return wish !== undefined && poolOf(poolsFor(context, wish, namespace), address) !== undefined
}

/** A certain address is taken when it is needed: until then it may be its predecessor's. */
function isAnyAddress({ plan }: Decided): boolean {
  return !plan.isOutsideIpam && plan.wishes.every(({ address }) => address === undefined)
}

function wishOf({ plan }: Decided): string {
  return JSON.stringify(plan.wishes)
}

function keyOf({ pod, config, ifName }: Pick<Expected, 'pod' | 'config' | 'ifName'>): EarlyKey {
  return { pod, networkName: config.networkName, ifName }
}

import type { CniCommand, CniRequest } from '../../cni/request.ts'
import type { Turn } from '../../cni/request-lane.ts'
import { newestVersion, supportedVersions } from '../../cni/versions.ts'
import { add } from './add.ts'
import { check } from './check.ts'
import { collectGarbage } from './collect-garbage.ts'
import type { CniContext } from './context.ts'
import { del } from './delete.ts'
import { isForAddresses, manageAddresses } from './manage-addresses.ts'
import { status } from './status.ts'

type Verb = (request: CniRequest, context: CniContext, signal: AbortSignal, turn?: Turn) => Promise<unknown>

const verbs: Record<CniCommand, Verb> = {
  ADD: add,
  DEL: del,
  CHECK: check,
  GC: collectGarbage,
  STATUS: status,
  VERSION: async () => ({ cniVersion: newestVersion, supportedVersions }),
}

/** Longest time for each verb, below the 220 s of the shim: an ADD that is too late must still be undone and answered. */
const timeoutMs: Record<CniCommand, number> = {
  ADD: 120_000,
  DEL: 120_000,
  CHECK: 30_000,
  GC: 200_000,
  STATUS: 30_000,
  VERSION: 1000,
}

/** Answers CNI requests. Those of one container run one after the other (CNI spec section 2). */
export function createCniHandle(
  context: CniContext,
  observe: (verb: CniCommand, seconds: number, error?: unknown) => void = () => {},
): (request: CniRequest, signal: AbortSignal, turn?: Turn) => Promise<unknown> {
  return async (request, signal, turn) => {
    const startedAt = performance.now()
    const isPartOfAnother = isForAddresses(request, context.networks)
    const { command, containerId, pluginName } = request
    const facts = { command, containerId, pod: request.args.K8S_POD_NAME, ...(isPartOfAnother ? { pluginName } : {}) }
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs[request.command])])
    try {
      const answer = await context.calm.busyWith(() => answerTo(request, context, limit, turn))
      const elapsedMs = performance.now() - startedAt
      if (!isPartOfAnother) observe(request.command, elapsedMs / 1000)
      const durationMs = Math.round(elapsedMs * 100) / 100
      context.log.info({ ...facts, durationMs }, 'CNI request done')
      return answer
    } catch (error) {
      if (!isPartOfAnother) observe(request.command, (performance.now() - startedAt) / 1000, error)
      context.log.error({ ...facts, error }, 'CNI request failed')
      throw error
    }
  }
}

/** Who asks for addresses does so while the container's own request, which has the lock, waits for it. */
function answerTo(request: CniRequest, context: CniContext, signal: AbortSignal, turn?: Turn): Promise<unknown> {
  if (isForAddresses(request, context.networks) && request.command !== 'VERSION') {
    return manageAddresses(request, context, signal)
  }
  return context.containers.run(request.containerId, async () => {
    signal.throwIfAborted()
    return await verbs[request.command](request, context, signal, turn)
  })
}

import { describeError } from '../../base/errors.ts'
import { UndoStack } from '../../base/undo.ts'
import {
  addChain,
  type ChainRequest,
  checkChain,
  collectChainGarbage,
  deleteChain,
  requirePlugins,
  statusChain,
} from '../../cni/exec.ts'
import { codeOf } from '../../cni/format-error.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { CniResult } from '../../cni/result.ts'
import type {
  AttachmentRef,
  AttachRequest,
  ConfiguredNetwork,
  NetworkDriver,
  NodeDeps,
  NodeSide,
  Problem,
} from '../driver.ts'
import { previewDelegate } from './preview.ts'

/**
 * Any other CNI plugin as a network: executes the plugins of the configuration as a runtime would. It serves every
 * type that no other driver serves.
 */
export const delegateDriver: NetworkDriver<undefined, NetworkConfigList> = {
  name: 'delegate',
  types: [],
  // What a plugin can honour stands in its own configuration (`capabilities`).
  capabilities: {
    runtimeConfig: [],
    canBeDefault: true,
    isIndependent: false,
    reportsRoutes: false,
    // GC only with a configuration, of its plugins: collectGarbageOf.
    verbs: ['CHECK', 'STATUS'],
  },
  resources: [],
  parseSettings: () => undefined,
  parseConfig: (list) => list,
  preview: async (list, _settings, facts) => previewDelegate(list, facts),
  nodeSide: (_settings, deps) => createNodeSide(deps),
}

/** Where a network's plugins are, how they reach us when they need addresses, and who hears what they say. */
type Surroundings = Pick<ChainRequest, 'folders' | 'env' | 'log'>

function createNodeSide({ log, paths }: NodeDeps): NodeSide<NetworkConfigList> {
  const around = ({ binFolder }: Pick<ConfiguredNetwork, 'binFolder'>): Surroundings => ({
    folders: binFolder === undefined ? paths.cniBinFolders : [binFolder, ...paths.cniBinFolders],
    env: paths.cniSocket === undefined ? {} : { TWINLANE_SOCKET: paths.cniSocket },
    log,
  })
  const results = new Map<string, CniResult>()
  return {
    start: async () => {},
    stop: async () => {},
    attach: async (request, signal) => {
      const prevResult = request.prevResult ?? results.get(keyOf(request))
      const result = await attachOnce({ ...request, prevResult }, around(request), signal)
      results.set(keyOf(request), result)
      return result
    },
    detach: async (ref, signal) => {
      const prevResult = ref.prevResult ?? results.get(keyOf(ref))
      await deleteChain(chainRequest(ref, around(ref), { prevResult, signal }))
      results.delete(keyOf(ref))
    },
    verify: (ref, result, signal) => verify({ ...ref, prevResult: result }, around(ref), signal),
    // Without a configuration there is nobody to ask; the agent detaches what it has records of.
    collectGarbage: async () => {},
    collectGarbageOf: (network, valid, signal) =>
      collectChainGarbage({ list: network.configList, ...around(network), signal }, valid),
    status: () => ({ isReady: true, problems: [] }),
    requireReady: (network) => statusChain({ list: network.configList, ...around(network) }),
  }
}

/** Plugins may refuse an ADD of what is there (CNI spec section 2), so that is asked for by CHECK, and made anew if it is wrong. */
async function attachOnce(
  request: AttachRequest<NetworkConfigList>,
  around: Surroundings,
  signal: AbortSignal,
): Promise<CniResult> {
  const { prevResult } = request
  if (prevResult !== undefined) {
    if ((await verify(request, around, signal)).length === 0) return prevResult
    await deleteChain(chainRequest(request, around, { prevResult, signal }))
  }
  return await attach(request, around, signal)
}

/** Longest time for taking back what a chain has done before one of its plugins failed. */
const undoTimeoutMs = 30_000

/** A chain that fails half-way is deleted as a whole (CNI spec section 3). */
async function attach(
  request: AttachRequest<NetworkConfigList>,
  around: Surroundings,
  signal: AbortSignal,
): Promise<CniResult> {
  signal.throwIfAborted()
  requirePlugins(request.config, around.folders)
  const undo = new UndoStack()
  undo.push('the plugins that ran', () =>
    deleteChain(chainRequest(request, around, { signal: AbortSignal.timeout(undoTimeoutMs) })),
  )
  try {
    return await addChain(chainRequest(request, around, { signal }))
  } catch (error) {
    throw await undo.unwind(error)
  }
}

async function verify(
  ref: AttachmentRef<NetworkConfigList>,
  around: Surroundings,
  signal: AbortSignal | undefined,
): Promise<Problem[]> {
  try {
    await checkChain(chainRequest(ref, around, { prevResult: ref.prevResult, signal }))
    return []
  } catch (error) {
    return [{ what: describeError(error), code: codeOf(error) }]
  }
}

function chainRequest(
  ref: AttachmentRef<NetworkConfigList>,
  around: Surroundings,
  more: Pick<ChainRequest, 'prevResult' | 'signal'>,
): ChainRequest {
  const { config: list, containerId, netns, ifName, args } = ref
  return { list, containerId, netns, ifName, args, ...around, ...more }
}

function keyOf(ref: AttachmentRef<NetworkConfigList>): string {
  return `${ref.containerId}/${ref.ifName}`
}

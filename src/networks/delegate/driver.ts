import { describeError } from '../../base/errors.ts'
import { UndoStack } from '../../base/undo.ts'
import { cniErrorCode } from '../../cni/errors.ts'
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

function createNodeSide(deps: NodeDeps): NodeSide<NetworkConfigList> {
  const own = deps.paths.cniBinFolders
  const foldersOf = ({ binFolder }: ConfiguredNetwork): readonly string[] =>
    binFolder === undefined ? own : [binFolder, ...own]
  const results = new Map<string, CniResult>()
  return {
    start: async () => {},
    stop: async () => {},
    attach: async (request, signal) => {
      const prevResult = request.prevResult ?? results.get(keyOf(request))
      const result = await attachOnce({ ...request, prevResult }, foldersOf(request), signal)
      results.set(keyOf(request), result)
      return result
    },
    detach: async (ref, signal) => {
      await deleteChain(
        chainRequest(ref, foldersOf(ref), { prevResult: ref.prevResult ?? results.get(keyOf(ref)), signal }),
      )
      results.delete(keyOf(ref))
    },
    verify: (ref, result) => verify(ref, foldersOf(ref), result),
    // Without a configuration there is nobody to ask; the agent detaches what it has records of.
    collectGarbage: async () => {},
    collectGarbageOf: (network, valid, signal) =>
      collectChainGarbage({ list: network.configList, folders: foldersOf(network), signal }, valid),
    status: () => ({ isReady: true, problems: [] }),
    requireReady: (network) => statusChain({ list: network.configList, folders: foldersOf(network) }),
  }
}

/** Plugins may refuse an ADD of what is there (CNI spec section 2), so that is asked for by CHECK, and made anew if it is wrong. */
async function attachOnce(
  request: AttachRequest<NetworkConfigList>,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<CniResult> {
  const { prevResult } = request
  if (prevResult !== undefined) {
    if ((await verify(request, folders, prevResult)).length === 0) return prevResult
    await deleteChain(chainRequest(request, folders, { prevResult, signal }))
  }
  return await attach(request, folders, signal)
}

/** A chain that fails half-way is deleted as a whole (CNI spec section 3). */
async function attach(
  request: AttachRequest<NetworkConfigList>,
  folders: readonly string[],
  signal: AbortSignal,
): Promise<CniResult> {
  signal.throwIfAborted()
  await requirePlugins(request.config, folders)
  const undo = new UndoStack()
  undo.push('the plugins that ran', () => deleteChain(chainRequest(request, folders)))
  try {
    return await addChain(chainRequest(request, folders, { signal }))
  } catch (error) {
    throw await undo.unwind(error)
  }
}

async function verify(
  ref: AttachmentRef<NetworkConfigList>,
  folders: readonly string[],
  result: CniResult,
): Promise<Problem[]> {
  try {
    await checkChain(chainRequest(ref, folders, { prevResult: result }))
    return []
  } catch (error) {
    // A plugin from before CHECK has nothing to say.
    if (codeOf(error) === cniErrorCode.incompatibleVersion) return []
    return [{ what: describeError(error), code: codeOf(error) }]
  }
}

function chainRequest(
  ref: AttachmentRef<NetworkConfigList>,
  folders: readonly string[],
  more: Pick<ChainRequest, 'prevResult' | 'signal'> = {},
): ChainRequest {
  const { config: list, containerId, netns, ifName, args } = ref
  return { list, containerId, netns, ifName, args, folders, ...more }
}

function keyOf(ref: AttachmentRef<NetworkConfigList>): string {
  return `${ref.containerId}/${ref.ifName}`
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { describeError, TwinlaneError } from '../base/errors.ts'
import type { UndoStack } from '../base/undo.ts'
import { CniError } from '../cni/errors.ts'
import { codeOf } from '../cni/format-error.ts'
import type { Turn } from '../cni/request-lane.ts'
import type { CniResult } from '../cni/result.ts'
import type { AttachRequest, NetworkDriver, NodeSide, PodRef } from '../networks/driver.ts'
import { groupIndependent } from './group-independent.ts'
import type { SelectedAttachment } from './select/types.ts'

/** For whom the networks are attached. */
export interface Sandbox {
  readonly containerId: string
  readonly netns: string
  readonly pod: PodRef
  /** CNI_ARGS of the runtime. */
  readonly args: Readonly<Record<string, string>>
  /** Searched for plugins before the node's own folders. */
  readonly binFolder?: string | undefined
}

/** A network that a pod has. */
export interface Attached {
  readonly selected: SelectedAttachment
  readonly result: CniResult
}

export interface AttachAllOptions {
  readonly sandbox: Sandbox
  readonly attachments: readonly SelectedAttachment[]
  nodeSide(driver: NetworkDriver): NodeSide
  /** Gets a detach for every attachment begun; the caller unwinds it when this, or a later step, fails. */
  readonly undo: UndoStack
  /** How long one detach of the undo may take. @default 30000 */
  readonly undoTimeoutMs?: number
  readonly signal: AbortSignal
  /** Of the request that this is done for. */
  readonly turn?: Turn | undefined
}

/**
 * Checks every configuration before the first effect, then attaches in order, neighbours that do not depend on one
 * another side by side. Throws a CniError with the code of the first failure and the network's name.
 */
export async function attachAll(options: AttachAllOptions): Promise<Attached[]> {
  const tasks = options.attachments.map((selected) => ({ selected, request: buildRequest(selected, options) }))
  const attached: Attached[] = []
  for (const group of groupIndependent(tasks, ({ selected }) => selected.driver.capabilities.isIndependent)) {
    attached.push(...(await attachGroup(group, options)))
  }
  return attached
}

interface Task {
  readonly selected: SelectedAttachment
  readonly request: AttachRequest
}

/**
 * Each begins a turn of the event loop after the one before, so that as a rule the kernel numbers their interfaces in
 * their order: users look for eth0 before eth1. After the first failure the others are given up, and waited for: what
 * they have begun must be known to the undo.
 */
async function attachGroup(group: readonly Task[], options: AttachAllOptions): Promise<Attached[]> {
  const failure = new AbortController()
  const signal = AbortSignal.any([options.signal, failure.signal])
  const settled = await Promise.allSettled(
    group.map(async (task, place): Promise<Attached> => {
      try {
        for (let before = 0; before < place; before++) await nextTurn()
        return { selected: task.selected, result: await attachOne(task, { ...options, signal }) }
      } catch (error) {
        failure.abort(error)
        throw error
      }
    }),
  )
  if (failure.signal.aborted) throw failure.signal.reason
  return settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
}

async function attachOne({ selected, request }: Task, options: AttachAllOptions): Promise<CniResult> {
  const nodeSide = options.nodeSide(selected.driver)
  try {
    options.signal.throwIfAborted()
    options.undo.push(`network "${selected.networkName}" (${selected.ifName})`, () =>
      nodeSide.detach(request, AbortSignal.timeout(options.undoTimeoutMs ?? 30_000)),
    )
    return await nodeSide.attach(request, options.signal)
  } catch (error) {
    throw nameNetwork(selected, error)
  }
}

function buildRequest(
  selected: SelectedAttachment,
  { sandbox, turn }: Pick<AttachAllOptions, 'sandbox' | 'turn'>,
): AttachRequest {
  const { driver, ifName, networkName, configList, isDefault, nad, requested, prevResult } = selected
  try {
    const config = driver.parseConfig(configList)
    const args = { ...sandbox.args, ...selected.args }
    const request = { ...sandbox, args, ifName, networkName, configList, config, isDefault, nad, requested, prevResult }
    return turn === undefined ? request : { ...request, turn }
  } catch (error) {
    throw nameNetwork(selected, error)
  }
}

function nameNetwork(selected: SelectedAttachment, cause: unknown): CniError {
  const fix = cause instanceof TwinlaneError && cause.fix !== undefined ? { fix: cause.fix } : {}
  const details = cause instanceof CniError && cause.details !== undefined ? { details: cause.details } : {}
  const message = `network "${selected.networkName}" (${selected.ifName}): ${describeError(cause)}`
  return new CniError(codeOf(cause), message, { ...fix, ...details, cause })
}

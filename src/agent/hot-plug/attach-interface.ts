import { UndoStack } from '../../base/undo.ts'
import type { NetworkConfig } from '../../cni/request.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import type { PodDevices } from '../../meta/assign-devices.ts'
import { attachAll } from '../../meta/attach-all.ts'
import type { SelectedAttachment } from '../../meta/select/types.ts'
import { selectAdditional } from '../../meta/select-networks.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { CniContext } from '../cni-server/context.ts'
import { recordAttachment } from '../cni-server/record.ts'
import { refuseTaken } from '../cni-server/refuse-taken.ts'
import { findSources } from '../cni-server/select.ts'
import { applyRouting } from '../pod-routing/apply.ts'
import { assignRecordedRouting } from '../pod-routing/assign.ts'
import { observeRoutes } from '../pod-routing/observe.ts'
import { planRecordedChange } from '../pod-routing/plan.ts'
import { dropUnsettled, withoutState } from './drop-unsettled.ts'

/** A pod whose record says by which configuration its networks are selected. */
export interface PluggablePod {
  readonly record: AttachmentRecord
  readonly config: NetworkConfig
  readonly pod: PodResource
}

/**
 * Attaches one more network to a running pod, whole or not at all, and resolves with the record that has it. Throws
 * CniError, with nothing left but what the undo could not take away, which stays marked on record.
 */
export async function attachInterface(
  wanted: { readonly ifName: string; readonly selection: NetworkSelection },
  running: PluggablePod,
  context: CniContext,
  signal: AbortSignal,
): Promise<AttachmentRecord> {
  const { record, config } = running
  const selected = await select(wanted, running, context, signal)
  await refuseTaken([selected], record.netns, context.kernel)
  const coming = { ...recordAttachment(selected), state: 'attaching' as const }
  const intended = { ...record, attachments: [...record.attachments, coming] }
  const marked = assignRecordedRouting(intended, config, context.networks)
  await context.store.change(marked)
  return await attach(marked, selected, context, signal)
}

/** The record is the undo: what is marked in it can be taken away, now or by the next agent. */
async function attach(
  marked: AttachmentRecord,
  selected: SelectedAttachment,
  context: CniContext,
  signal: AbortSignal,
): Promise<AttachmentRecord> {
  let reached = marked
  const isComing = ({ ifName }: RecordedAttachment): boolean => ifName === selected.ifName
  const undo = new UndoStack()
  undo.push(`interface ${selected.ifName}`, async () => {
    const { failures } = await dropUnsettled(reached, context, isComing)
    for (const failure of failures) throw failure
  })
  try {
    const nodeSide = context.networks.nodeSide.bind(context.networks)
    const options = { sandbox: marked, attachments: [selected], nodeSide, undo: new UndoStack(), signal }
    const [attached] = await attachAll(options)
    const attachments = marked.attachments.map((item) =>
      isComing(item) ? { ...item, result: attached?.result } : item,
    )
    reached = await observeRoutes({ ...marked, attachments }, context)
    await context.store.change(reached)
    const settle = (item: RecordedAttachment): RecordedAttachment => (isComing(item) ? withoutState(item) : item)
    const done = { ...reached, attachments: reached.attachments.map(settle) }
    const plan = planRecordedChange(reached.attachments, done.attachments)
    await applyRouting(context.kernel, marked.netns, plan)
    await context.store.change(done)
    return done
  } catch (error) {
    throw await undo.unwind(error)
  }
}

async function select(
  { ifName, selection }: { ifName: string; selection: NetworkSelection },
  { record, config, pod }: PluggablePod,
  context: CniContext,
  signal: AbortSignal,
): Promise<SelectedAttachment> {
  const { containerId, args } = record
  const request = { config, containerId, args }
  const sources = await findSources({ request, pod, base: [], needed: [selection] }, context, signal)
  const devices = withoutUsed(sources.devices, record)
  return { ...selectAdditional({ ...selection, interface: ifName }, { ...sources, devices }), selection }
}

function withoutUsed(devices: PodDevices, { attachments }: AttachmentRecord): PodDevices {
  const used = new Set(attachments.map(({ requested }) => requested.device?.id))
  return new Map([...devices].map(([resource, ids]) => [resource, ids.filter((id) => !used.has(id))]))
}

import { existsSync } from 'node:fs'
import { CombinedError, describeError } from '../../base/errors.ts'
import type { NetworkConfig } from '../../cni/request.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import { NetworkAnnotationError } from '../../kube/resources/network-selection.ts'
import { parseMetaConfig } from '../../meta/net-conf.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'
import { readPodNetworks } from '../../meta/select/pod-networks.ts'
import type { AttachmentKey } from '../../networks/driver.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { CniContext } from '../cni-server/context.ts'
import { presentAttachments, reportAdded, reportStatus } from '../cni-server/report.ts'
import { attachInterface } from './attach-interface.ts'
import { dropUnsettled } from './drop-unsettled.ts'
import { type HotPlugPlan, planHotPlug } from './plan-hot-plug.ts'

/**
 * Detaches what a running pod's annotation no longer asks for and attaches what it asks for anew. One that fails gets a
 * Warning event and leaves the others alone. An annotation that cannot be read changes nothing. Call it under the
 * container's lock. Throws when something is left to be done.
 */
export async function followAnnotation(
  pod: PodResource,
  key: AttachmentKey,
  context: CniContext,
  signal: AbortSignal,
): Promise<void> {
  const found = context.store.find(key)
  if (found?.state !== 'added' || found.config === undefined || !existsSync(found.netns)) return
  await new PluggedPod({ pod, record: found, config: found.config }, context).follow(signal)
}

type Wanted = HotPlugPlan<RecordedAttachment>['attach'][number]

/** A running pod while its interfaces change; `#record` is what stands on disk. */
class PluggedPod {
  readonly #pod: PodResource
  readonly #config: NetworkConfig
  readonly #context: CniContext
  readonly #failures: unknown[] = []
  #record: AttachmentRecord

  constructor(running: { pod: PodResource; record: AttachmentRecord; config: NetworkConfig }, context: CniContext) {
    this.#pod = running.pod
    this.#config = running.config
    this.#record = running.record
    this.#context = context
  }

  async follow(signal: AbortSignal): Promise<void> {
    await this.#drop()
    const plan = this.#readPlan()
    if (plan !== undefined) {
      await this.#detach(plan.detach)
      for (const wanted of plan.attach) await this.#attach(wanted, signal)
    }
    // An agent that stops leaves the rest to the next one, which is nobody's mistake.
    signal.throwIfAborted()
    const failures = this.#failures
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new CombinedError('hot-plug', failures)
  }

  /** Undefined after a Warning event: a retry could not do better before the annotation is edited. */
  #readPlan(): HotPlugPlan<RecordedAttachment> | undefined {
    try {
      const { selections } = readPodNetworks(this.#pod, parseMetaConfig(this.#config), this.#record.ifName)
      return planHotPlug(this.#record.attachments, selections)
    } catch (error) {
      const isOfPod = error instanceof NetworkAnnotationError || error instanceof NetworkSelectionError
      if (!isOfPod) throw error
      this.#warn('InvalidNetworks', error)
      return undefined
    }
  }

  async #detach(going: readonly RecordedAttachment[]): Promise<void> {
    if (going.length === 0) return
    const attachments = this.#record.attachments.map((item): RecordedAttachment => {
      return going.includes(item) ? { ...item, state: 'detaching' } : item
    })
    this.#record = { ...this.#record, attachments }
    await this.#context.store.change(this.#record)
    await this.#drop()
  }

  /** Told at once: a network may keep an address until it is told that the interface is gone. */
  async #drop(): Promise<void> {
    const before = this.#record
    const { record, failures } = await dropUnsettled(before, this.#context)
    for (const failure of failures) this.#fail('FailedDetachment', failure)
    if (record === before) return
    this.#record = record
    this.#reportStatus()
    const isGone = ({ ifName }: RecordedAttachment): boolean => !record.attachments.some((it) => it.ifName === ifName)
    for (const { ifName, networkName, result } of before.attachments.filter(isGone)) {
      if (result === undefined) continue
      this.#context.events.event(this.#pod, 'Normal', 'RemovedInterface', `Remove ${ifName} from ${networkName}`)
    }
  }

  /** A name that could not be given free has to wait for the next attempt. */
  async #attach(wanted: Wanted, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#record.attachments.some(({ ifName }) => ifName === wanted.ifName)) return
    const running = { record: this.#record, config: this.#config, pod: this.#pod }
    try {
      this.#record = await attachInterface(wanted, running, this.#context, signal)
    } catch (error) {
      if (!isStopped(signal)) this.#fail('FailedAttachment', error)
      return
    }
    this.#reportStatus()
    const attached = presentAttachments(this.#record).find(({ ifName }) => ifName === wanted.ifName)
    if (attached !== undefined) reportAdded(this.#pod, attached, this.#context)
  }

  #reportStatus(): void {
    const { pod, containerId } = this.#record
    reportStatus({ ref: pod, containerId, attachments: presentAttachments(this.#record) }, this.#context)
  }

  #fail(reason: string, error: unknown): void {
    this.#failures.push(error)
    this.#warn(reason, error)
  }

  #warn(reason: string, error: unknown): void {
    this.#context.events.event(this.#pod, 'Warning', reason, describeError(error))
  }
}

/** By the agent's stop, not by the deadline of the attachment. */
function isStopped({ aborted, reason }: AbortSignal): boolean {
  return aborted && (reason as Error).name === 'AbortError'
}

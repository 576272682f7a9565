import * as z from 'zod'
import type { NetworkConfig, NetworkConfigList } from '../cni/request.ts'
import type { CniResult } from '../cni/result.ts'
import type { NetworkSelection } from '../kube/resources/network-selection.ts'
import type { AttachmentRouting } from '../meta/routing/types.ts'
import type { PodRef, RequestedAttachment } from '../networks/driver.ts'

/**
 * All that is known of one ADD: enough for DEL, CHECK and GC with the API server, the pod and its definitions gone.
 * `adding` is written before the first effect, `added` after the last.
 */
export interface AttachmentRecord {
  readonly version: 1
  readonly state: 'adding' | 'added'
  readonly containerId: string
  /** The runtime's CNI_IFNAME. */
  readonly ifName: string
  readonly netns: string
  /** Since which start of the host; absent in records of an agent that did not note it. */
  readonly boot?: string | undefined
  readonly pod: PodRef
  readonly args: Readonly<Record<string, string>>
  /** `binDir` of the meta-plugin's configuration. */
  readonly binFolder?: string | undefined
  /** Whether this was a meta-plugin's ADD: then routing and network-status are ours too. */
  readonly isWholePod: boolean
  /** The meta-plugin's configuration, by which a running pod's further networks are selected. */
  readonly config?: NetworkConfig | undefined
  readonly attachments: readonly RecordedAttachment[]
}

export interface RecordedAttachment {
  /** Written before a running pod's attachment is made or taken away: whoever finds it takes it away. */
  readonly state?: 'attaching' | 'detaching' | undefined
  /** What the networks annotation said; absent for what came from the configuration. */
  readonly selection?: NetworkSelection | undefined
  /** Name of the driver. */
  readonly driver: string
  readonly ifName: string
  readonly networkName: string
  readonly isDefault: boolean
  readonly nad?: { readonly namespace: string; readonly name: string } | undefined
  readonly requested: RequestedAttachment
  /** Absent when only one network was asked for by its own name: its routing is its own. */
  readonly routing?: AttachmentRouting | undefined
  readonly args: Readonly<Record<string, string>>
  /** Complete, with runtimeConfig. */
  readonly configList: NetworkConfigList
  /** What the network answered. */
  readonly result?: CniResult | undefined
}

const texts = z.record(z.string(), z.string())
const attachment = z.looseObject({
  state: z.enum(['attaching', 'detaching']).optional(),
  selection: z.looseObject({ name: z.string(), namespace: z.string() }).optional(),
  driver: z.string(),
  ifName: z.string(),
  networkName: z.string(),
  isDefault: z.boolean(),
  requested: z.looseObject({}),
  args: texts,
  configList: z.looseObject({ cniVersion: z.string(), name: z.string(), plugins: z.array(z.looseObject({})) }),
})
const schema = z.looseObject({
  version: z.literal(1),
  state: z.enum(['adding', 'added']),
  containerId: z.string(),
  ifName: z.string(),
  netns: z.string(),
  boot: z.string().optional(),
  pod: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  args: texts,
  isWholePod: z.boolean(),
  config: z.looseObject({ name: z.string(), type: z.string() }).optional(),
  attachments: z.array(attachment),
})

/** What a pod has for good: what is just coming or going does not count. */
export function settledAttachments({ attachments }: Pick<AttachmentRecord, 'attachments'>): RecordedAttachment[] {
  return attachments.filter(({ state }) => state === undefined)
}

/** A record as one line of its file. */
export function renderRecord(record: AttachmentRecord): string {
  return `${JSON.stringify(record)}\n`
}

/**
 * The last state in a record's file. A second line, appended when the ADD ended, may have been torn by a kill or a loss
 * of power: then nobody was told that the ADD ended, and the first line holds. Throws when there is no such line.
 */
export function parseRecord(text: string): AttachmentRecord {
  const [first = '', ...later] = text.split('\n')
  const last = later.findLast((line) => line !== '')
  const isWhole = text.endsWith('\n')
  return parseLine(last !== undefined && isWhole ? last : first)
}

function parseLine(line: string): AttachmentRecord {
  return schema.parse(JSON.parse(line)) as unknown as AttachmentRecord
}

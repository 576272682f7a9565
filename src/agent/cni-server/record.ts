import type { CniRequest, NetworkConfig } from '../../cni/request.ts'
import type { Attached } from '../../meta/attach-all.ts'
import type { Detachment } from '../../meta/detach-all.ts'
import { binFolderOf } from '../../meta/net-conf.ts'
import type { SelectedAttachment } from '../../meta/select/types.ts'
import type { AttachmentRef, PodRef } from '../../networks/driver.ts'
import type { AttachmentRecord, RecordedAttachment } from '../attachment-record.ts'
import type { Networks } from '../networks.ts'

/** What is written before the first effect. */
export function intendedRecord(options: {
  request: CniRequest
  netns: string
  pod: PodRef
  isWholePod: boolean
  attachments: readonly SelectedAttachment[]
}): AttachmentRecord {
  const { request, netns, pod, isWholePod } = options
  const binFolder = isWholePod ? binFolderOf(request.config) : undefined
  return {
    version: 1,
    state: 'adding',
    containerId: request.containerId,
    ifName: request.ifName,
    netns,
    pod,
    args: request.args,
    ...(binFolder === undefined ? {} : { binFolder }),
    isWholePod,
    ...(isWholePod && pod.namespace !== '' ? { config: withoutRuntime(request.config) } : {}),
    attachments: options.attachments.map(recordAttachment),
  }
}

/** What is written after the last effect. */
export function completedRecord(intended: AttachmentRecord, attached: readonly Attached[]): AttachmentRecord {
  const attachments = intended.attachments.map((attachment, index) => ({
    ...attachment,
    result: attached[index]?.result,
  }))
  return { ...intended, state: 'added', attachments }
}

/** An attachment of a record as its network knows it. */
export function refOf(record: AttachmentRecord, attachment: RecordedAttachment, networks: Networks): AttachmentRef {
  const { containerId, netns, pod, binFolder } = record
  const { ifName, networkName, configList, result } = attachment
  const { driver } = networks.get(attachment.driver)
  return {
    containerId,
    netns,
    pod,
    ifName,
    networkName,
    configList,
    config: driver.parseConfig(configList),
    args: { ...record.args, ...attachment.args },
    ...(binFolder === undefined ? {} : { binFolder }),
    ...(result === undefined ? {} : { prevResult: result }),
  }
}

/** Everything of a record, for detachAll. */
export function detachmentsOf(record: AttachmentRecord, networks: Networks): Detachment[] {
  return record.attachments.map((attachment) => {
    const { nodeSide, driver } = networks.get(attachment.driver)
    const { isIndependent } = driver.capabilities
    return { nodeSide, isIndependent, ref: refOf(record, attachment, networks) }
  })
}

/** The runtime's own wishes were for the ADD alone. */
function withoutRuntime({ runtimeConfig: _, prevResult: __, ...config }: NetworkConfig): NetworkConfig {
  return config
}

/** An attachment as it is recorded before it is made. */
export function recordAttachment(selected: SelectedAttachment): RecordedAttachment {
  const { driver, ifName, networkName, isDefault, nad, requested, selection, args, configList } = selected
  return {
    driver: driver.name,
    ifName,
    networkName,
    isDefault,
    ...(nad === undefined ? {} : { nad }),
    requested,
    ...(selection === undefined ? {} : { selection }),
    args,
    configList,
  }
}

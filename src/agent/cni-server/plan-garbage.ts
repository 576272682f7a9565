import type { NetworkConfigList } from '../../cni/request.ts'
import type { AttachmentKey, ConfiguredNetwork } from '../../networks/driver.ts'
import type { AttachmentRecord } from '../attachment-record.ts'

/** A network with the name of its driver. */
export interface UsedNetwork extends ConfiguredNetwork {
  readonly driver: string
}

/** GC of one configuration. */
export interface GarbageCall {
  readonly network: UsedNetwork
  readonly valid: readonly AttachmentKey[]
}

/**
 * One call for each different configuration of a network. Of the attachments, those stay that a record of a network of
 * this name has, and those that the runtime names and no record tells the network of.
 */
export function planGarbage(options: {
  networks: readonly UsedNetwork[]
  kept: readonly AttachmentRecord[]
  /** What the runtime names, without those that have a record. */
  unrecorded: readonly AttachmentKey[]
}): GarbageCall[] {
  const shared = options.networks.map((network) => ({ ...network, configList: withoutPod(network.configList) }))
  const distinct = new Map(shared.map((network) => [JSON.stringify(network), network]))
  return [...distinct.values()].map((network) => ({
    network,
    valid: [...attachmentsOf(network.configList.name, options.kept), ...options.unrecorded],
  }))
}

/** The networks that records know the configuration of. */
export function recordedNetworks(records: readonly AttachmentRecord[]): UsedNetwork[] {
  return records.flatMap(({ binFolder, attachments }) =>
    attachments.map(({ driver, configList }) => ({ driver, configList, binFolder })),
  )
}

function attachmentsOf(networkName: string, records: readonly AttachmentRecord[]): AttachmentKey[] {
  return records.flatMap(({ containerId, attachments }) =>
    attachments
      .filter(({ configList }) => configList.name === networkName)
      .map(({ ifName }) => ({ containerId, ifName })),
  )
}

/** What was put in for one pod is not the network's. */
function withoutPod(list: NetworkConfigList): NetworkConfigList {
  return { ...list, plugins: list.plugins.map(({ runtimeConfig: _, ...plugin }) => plugin) }
}

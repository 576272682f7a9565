import type { NetworkConfig } from '../../cni/request.ts'
import { assignRouting } from '../../meta/routing/assign-routing.ts'
import type { ClusterPrefixes } from '../../networks/driver.ts'
import type { AttachmentRecord } from '../attachment-record.ts'
import type { Networks } from '../networks.ts'

/**
 * Gives every attachment of a whole pod its routing table and the prefixes that the configuration keeps or takes. Do
 * it before the record is written: afterwards nothing may change them. Throws CniError naming the key.
 */
export function assignRecordedRouting(
  record: AttachmentRecord,
  conf: NetworkConfig,
  networks: Networks,
): AttachmentRecord {
  if (!record.isWholePod) return record
  const prefixes = clusterPrefixes(record, networks)
  return { ...record, attachments: assignRouting(record.attachments, { conf, prefixes }) }
}

/** `pods` are the default network's; services and nodes are those that any network knows. */
function clusterPrefixes({ attachments }: AttachmentRecord, networks: Networks): ClusterPrefixes {
  const home = attachments.find(({ isDefault }) => isDefault)
  const all = networks.all.map(({ driver, nodeSide }) => ({ name: driver.name, ...nodeSide.prefixes?.() }))
  return {
    pods: all.find(({ name }) => name === home?.driver)?.pods ?? [],
    services: all.flatMap(({ services = [] }) => services),
    nodes: all.flatMap(({ nodes = [] }) => nodes),
  }
}

import { AddressError, formatCidr, parseCidr } from '../../base/ip.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { NetworkConfig, NetworkConfigList } from '../../cni/request.ts'
import type { ClusterPrefixes } from '../../networks/driver.ts'
import type { AttachmentRouting } from './types.ts'

/** First table and rule priority in a pod's namespace. */
export const firstPodTable = 1000

/** Net-conf keys, of the meta-plugin (for every attachment) or of one network (which wins). */
export const keepKey = 'keepOnDefaultNetwork'
export const takeKey = 'takeFromDefaultNetwork'

interface Assignable {
  readonly ifName: string
  readonly networkName: string
  readonly isDefault: boolean
  readonly configList: NetworkConfigList
  readonly routing?: AttachmentRouting | undefined
}

/**
 * Gives every attachment that has none a routing table that no other of the pod has, and its kept and taken prefixes.
 * What is assigned stays, whatever comes or goes beside it. Throws CniError naming the key.
 */
export function assignRouting<T extends Assignable>(
  attachments: readonly T[],
  options: { conf: Pick<NetworkConfig, 'name'> & Readonly<Record<string, unknown>>; prefixes: ClusterPrefixes },
): (T & { readonly routing: AttachmentRouting })[] {
  const used = new Set(attachments.map(({ routing }) => routing?.table))
  return attachments.map((attachment) => {
    if (attachment.routing !== undefined) return { ...attachment, routing: attachment.routing }
    const table = lowestUnused(used)
    used.add(table)
    const read = (key: string): string[] =>
      attachment.isDefault ? [] : expand(settingOf(attachment, key, options.conf), key, { attachment, ...options })
    return { ...attachment, routing: { table, keep: read(keepKey), take: read(takeKey) } }
  })
}

function lowestUnused(used: ReadonlySet<number | undefined>): number {
  let table = firstPodTable
  while (used.has(table)) table += 1
  return table
}

function settingOf({ configList }: Assignable, key: string, conf: Readonly<Record<string, unknown>>): unknown {
  return configList.plugins.find((plugin) => plugin[key] !== undefined)?.[key] ?? conf[key] ?? []
}

/** `pods`, `services` and `nodes` stand for what the cluster has of them; anything else must be a prefix. */
function expand(
  value: unknown,
  key: string,
  { attachment, prefixes }: { attachment: Assignable; prefixes: ClusterPrefixes },
): string[] {
  if (!Array.isArray(value)) throw refuse(value, key, attachment)
  const words: Readonly<Record<string, readonly string[]>> = { ...prefixes }
  return value.flatMap((item: unknown) => {
    if (typeof item !== 'string') throw refuse(item, key, attachment)
    return words[item] ?? canonical(item, key, attachment)
  })
}

function canonical(item: string, key: string, attachment: Assignable): string {
  try {
    return formatCidr(parseCidr(item))
  } catch (cause) {
    if (cause instanceof AddressError) throw refuse(item, key, attachment)
    throw cause
  }
}

function refuse(value: unknown, key: string, { networkName, ifName }: Assignable): CniError {
  return new CniError(
    cniErrorCode.invalidNetworkConfig,
    `network "${networkName}" (${ifName}): ${key} has ${JSON.stringify(value)}`,
    { fix: `Write a list of "pods", "services", "nodes" and prefixes, e.g. "${key}": ["services", "10.0.0.0/8"].` },
  )
}

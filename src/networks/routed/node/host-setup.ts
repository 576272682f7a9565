import { describeError } from '../../../base/errors.ts'
import { type Family, familyOf } from '../../../base/ip.ts'
import type { Log } from '../../../base/log.ts'
import type { Kernel } from '../../../kernel/kernel.ts'
import type { IPPool } from '../resources.ts'
import { hostInterfacePrefix, parseAlias } from './names.ts'
import { hostReach, hostSettings } from './wiring.ts'

/**
 * The host forwards the families; a value that is right already is not written: writing it resets other settings.
 * Resolves with the settings that were not right.
 */
export async function ensureForwarding(kernel: Kernel, families: readonly Family[]): Promise<string[]> {
  const changed: string[] = []
  for (const family of families) {
    const key = forwardingKeys[family]
    if ((await kernel.readSysctl(undefined, key)) === '1') continue
    await kernel.apply(undefined, [{ op: 'sysctl', key, value: '1' }])
    changed.push(key)
  }
  return changed
}

const forwardingKeys: Readonly<Record<Family, string>> = {
  4: 'net/ipv4/ip_forward',
  6: 'net/ipv6/conf/all/forwarding',
}

/** IPv6 only where a pool has it: a host that forwards it no longer takes default routes from router advertisements. */
export function forwardedFamilies(pools: readonly IPPool[]): Family[] {
  return pools.some(({ spec }) => spec.cidr.includes(':')) ? [4, 6] : [4]
}

/** Settings and routes of the pods that were here before this process; the host ends themselves know whose they are. */
export async function restoreHostInterfaces(kernel: Kernel, log: Log): Promise<void> {
  for (const { name, alias } of await kernel.links(undefined)) {
    const owner = name.startsWith(hostInterfacePrefix) ? parseAlias(alias) : undefined
    if (owner === undefined) continue
    try {
      await kernel.apply(undefined, [
        ...hostSettings(name, owner.addresses.map(familyOf)),
        { op: 'setLink', name, isUp: true },
        ...hostReach(name, owner.addresses),
      ])
    } catch (error) {
      // One pod that goes away meanwhile must not keep the others from being repaired.
      log.warn({ interface: name, ...owner, error: describeError(error) }, 'could not restore a host interface')
    }
  }
}

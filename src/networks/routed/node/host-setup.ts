import { describeError } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { Kernel } from '../../../kernel/kernel.ts'
import { hostInterfacePrefix, parseAlias } from './names.ts'
import { hostRoute, hostSettings } from './wiring.ts'

/** The host forwards; a value that is right already is not written, because writing it resets other settings. */
export async function ensureForwarding(kernel: Kernel): Promise<void> {
  const key = 'net/ipv4/ip_forward'
  if ((await kernel.readSysctl(undefined, key)) !== '1') {
    await kernel.apply(undefined, [{ op: 'sysctl', key, value: '1' }])
  }
}

/** Settings and routes of the pods that were here before this process; the host ends themselves know whose they are. */
export async function restoreHostInterfaces(kernel: Kernel, log: Log): Promise<void> {
  for (const { name, alias } of await kernel.links(undefined)) {
    const owner = name.startsWith(hostInterfacePrefix) ? parseAlias(alias) : undefined
    if (owner === undefined) continue
    try {
      await kernel.apply(undefined, [
        ...hostSettings(name),
        { op: 'setLink', name, isUp: true },
        { op: 'ensureRoute', route: hostRoute(name, owner.address) },
      ])
    } catch (error) {
      // One pod that goes away meanwhile must not keep the others from being repaired.
      log.warn({ interface: name, ...owner, error: describeError(error) }, 'could not restore a host interface')
    }
  }
}

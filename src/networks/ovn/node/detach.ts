import { runAll } from '../../../base/undo.ts'
import type { Link } from '../../../kernel/kernel.ts'
import type { AttachmentKey } from '../../driver.ts'
import type { NodeContext } from './context.ts'
import { openFence } from './fence.ts'
import { aliasPrefix } from './numbers.ts'
import { aliasOf, hostInterfaceName, secondaryHostName } from './pod-interface.ts'
import { ifNameKey, podPortNames, removePodPorts } from './pod-port.ts'

/** DEL. Finds what is there by container ID in the switch and by alias in the kernel; needs neither API nor pod. */
export async function detachPod(context: NodeContext, key: AttachmentKey): Promise<void> {
  const { local, kernel } = context
  const names = [hostInterfaceName(key), secondaryHostName(key)]
  const found = await Promise.all(names.map((name) => kernel.findLink(undefined, name)))
  const links = found.flatMap((link) => (link?.alias === aliasOf(key) ? [link.name] : []))
  await remove(context, { ports: podPortNames(local, key), links })
}

/** GC: removes the ports and pairs of containers that are none of these. */
export async function collectPods(context: NodeContext, valid: readonly AttachmentKey[]): Promise<void> {
  const aliases = new Set(valid.map(aliasOf))
  const links = (await context.kernel.links(undefined)).filter(({ alias }) => isStray(alias, aliases))
  await remove(context, { ports: strayPorts(context, aliases), links: links.map(({ name }: Link) => name) })
}

function isStray(alias: string | undefined, valid: ReadonlySet<string>): boolean {
  return alias?.startsWith(aliasPrefix) === true && !valid.has(alias)
}

function strayPorts({ local }: NodeContext, valid: ReadonlySet<string>): string[] {
  return [...local.client.table('Interface').rows()].flatMap(({ name, external_ids: ids }) => {
    const [containerId, ifName] = [ids.sandbox, ids[ifNameKey]]
    if (containerId === undefined || ifName === undefined) return []
    return valid.has(aliasOf({ containerId, ifName })) ? [] : [name]
  })
}

/** The port first: the switch must not see its device vanish. Each step is tried whatever happened to the others. */
async function remove(
  { local, kernel }: NodeContext,
  { ports, links }: { ports: readonly string[]; links: readonly string[] },
): Promise<void> {
  const devices = [...new Set([...ports, ...links])]
  await runAll('detach', [
    () => removePodPorts(local, ports),
    ...devices.map((name) => () => kernel.apply(undefined, [{ op: 'deleteLink', name }])),
    ...(local.datapathType === 'netdev' ? devices.map((name) => () => openFence(kernel, name)) : []),
  ])
}

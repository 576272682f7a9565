import { createHash } from 'node:crypto'
import type { KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists, isConflict, isNotFound } from '../../../kube/errors.ts'
import { type IPAMHandle, ipamHandles } from '../resources.ts'
import { mostRetries } from './block-store.ts'
import { IpamError } from './errors.ts'

/**
 * The handle of one interface of one container. For eth0 it is Calico's own, `<network>.<containerID>`; further
 * interfaces of the same container have their name at the end, so that giving back one keeps the other.
 */
export function handleIdOf(interfaceOf: { networkName: string; containerId: string; ifName: string }): string {
  const { networkName, containerId, ifName } = interfaceOf
  return ifName === 'eth0' ? `${networkName}.${containerId}` : `${networkName}.${containerId}.${ifName}`
}

/** Object names are lower case, of a certain alphabet and at most 253 long. */
export function handleName(handleId: string): string {
  const name = handleId.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-')
  if (name.length <= 253) return name
  return `${name.slice(0, 240)}-${createHash('sha256').update(handleId).digest('hex').slice(0, 11)}`
}

/** Notes that the handle holds one more address of the block. Must come before the address is taken. */
export function addToHandle(kube: KubeClient, handleId: string, cidr: string): Promise<void> {
  return changeHandle(kube, handleId, (blocks) => ({ ...blocks, [cidr]: (blocks[cidr] ?? 0) + 1 }))
}

/** Takes back `addToHandle`; a handle that holds nothing is deleted. */
export function removeFromHandle(kube: KubeClient, handleId: string, cidr: string): Promise<void> {
  return changeHandle(kube, handleId, ({ [cidr]: count = 0, ...others }) =>
    count > 1 ? { ...others, [cidr]: count - 1 } : others,
  )
}

export function findHandle(kube: KubeClient, handleId: string): Promise<IPAMHandle | undefined> {
  return kube.find(ipamHandles, handleName(handleId))
}

export async function deleteHandle(kube: KubeClient, handle: IPAMHandle): Promise<void> {
  const { name, uid } = handle.metadata
  await kube.delete(ipamHandles, name, {
    ignoreNotFound: true,
    ...(uid === undefined ? {} : { preconditions: { uid } }),
  })
}

type Blocks = Record<string, number>

async function changeHandle(kube: KubeClient, handleId: string, change: (blocks: Blocks) => Blocks): Promise<void> {
  // A handle is nearly always new, so creating it is tried before reading it.
  if (await tryCreate(kube, handleId, change({}))) return
  for (let attempt = 0; attempt < mostRetries; attempt++) {
    const handle = await findHandle(kube, handleId)
    const block = change(handle?.spec.block ?? {})
    if (handle === undefined && Object.keys(block).length === 0) return
    if (handle === undefined ? await tryCreate(kube, handleId, block) : await tryReplace(kube, handle, block)) return
  }
  throw new IpamError(`handle ${handleId}: Max retries hit - excessive concurrent IPAM requests`, { fix: 'try again' })
}

async function tryCreate(kube: KubeClient, handleId: string, block: Blocks): Promise<boolean> {
  if (Object.keys(block).length === 0) return false
  try {
    await kube.create(ipamHandles, {
      metadata: { name: handleName(handleId) },
      spec: { handleID: handleId, block, deleted: false },
    })
    return true
  } catch (error) {
    if (isAlreadyExists(error)) return false
    throw error
  }
}

async function tryReplace(kube: KubeClient, handle: IPAMHandle, block: Blocks): Promise<boolean> {
  try {
    if (Object.keys(block).length === 0) await deleteHandle(kube, handle)
    else await kube.update(ipamHandles, { ...handle, spec: { ...handle.spec, block } })
    return true
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return false
    throw error
  }
}

import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
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

/**
 * The handle of an address that is taken for a pod before it has a container: the pod's UID stands for the container.
 * It has no object: it lasts until the pod is attached.
 */
export function earlyHandleIdOf(expected: { networkName: string; uid: string; ifName: string }): string {
  const { networkName, uid, ifName } = expected
  return handleIdOf({ networkName, containerId: `pod-${uid}`, ifName })
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
/** Networks and interfaces may have dots in their names, so it is known by the whole form of a UID. */
const earlyContainer = new RegExp(`\\.pod-${uuid}(?=\\.|$)`)
const uidForm = new RegExp(`^${uuid}$`)

/** Whether the pod has a UID as the API gives them: without, nothing is claimed ahead for it. */
export function mayHaveEarlyHandle(uid: string): boolean {
  return uidForm.test(uid)
}

export function isEarlyHandle(handleId: string): boolean {
  return earlyContainer.test(handleId)
}

/** The handle that takes the place of an early one when the pod has a container. */
export function settledHandleId(earlyHandleId: string, containerId: string): string {
  return earlyHandleId.replace(earlyContainer, () => `.${containerId}`)
}

/** Whether both are handles of the same interface of containers of one network: an older sandbox's and a newer one's. */
export function isSameInterface(one: string, other: string, ifName: string): boolean {
  const network = (handleId: string): string | undefined => {
    const end = ifName === 'eth0' ? '' : `.${ifName}`
    return handleId.endsWith(end)
      ? /^(.*)\.[^.]+$/.exec(handleId.slice(0, handleId.length - end.length))?.[1]
      : undefined
  }
  return network(one) !== undefined && network(one) === network(other)
}

/** Object names are lower case, of a certain alphabet and at most 253 long. */
export function handleName(handleId: string): string {
  const name = handleId.toLowerCase().replaceAll(/[^a-z0-9.-]/g, '-')
  if (name.length <= 253) return name
  return `${name.slice(0, 240)}-${createHash('sha256').update(handleId).digest('hex').slice(0, 11)}`
}

/**
 * Brings the handle's object to what the blocks say that it holds: blocks are the truth, handles are an index that
 * Calico's tools read. One that holds nothing is deleted. A new handle is created without looking first.
 */
export async function syncHandle(
  kube: KubeClient,
  handleId: string,
  { blocks, isNew }: { blocks: Blocks; isNew: boolean },
): Promise<void> {
  if (Object.keys(blocks).length === 0) {
    await kube.delete(ipamHandles, handleName(handleId), { ignoreNotFound: true })
    return
  }
  if (isNew && (await tryCreate(kube, handleId, blocks))) return
  for (let attempt = 0; attempt < mostRetries; attempt++) {
    const handle = await findHandle(kube, handleId)
    if (handle !== undefined && isDeepStrictEqual(handle.spec.block, blocks)) return
    const isDone =
      handle === undefined ? await tryCreate(kube, handleId, blocks) : await tryReplace(kube, handle, blocks)
    if (isDone) return
  }
  throw new IpamError(`handle ${handleId}: Max retries hit - excessive concurrent IPAM requests`, { fix: 'try again' })
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

/** How many addresses a handle holds, by block. */
export type Blocks = Readonly<Record<string, number>>

async function tryCreate(kube: KubeClient, handleId: string, block: Blocks): Promise<boolean> {
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
    await kube.update(ipamHandles, { ...handle, spec: { ...handle.spec, block } })
    return true
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return false
    throw error
  }
}

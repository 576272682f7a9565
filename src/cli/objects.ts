import { TwinlaneError } from '../base/errors.ts'
import { undefinedIfNotFound } from '../kube/errors.ts'
import { isEqualJson } from '../kube/patch.ts'
import { objectPath, scopedCollectionPath, withQuery } from '../kube/path.ts'
import type { KubeObject, ResourceType } from '../kube/resources/meta.ts'
import type { Connection } from './connection.ts'
import { isVirtualNode, shownKind } from './kinds.ts'
import * as virtualNodes from './virtual-nodes.ts'

/** Name of this program in the managedFields of what it writes. */
export const fieldManager = 'twinlane'

export type Outcome = 'created' | 'configured' | 'unchanged' | 'replaced' | 'deleted'

/** An object of any kind, as files and commands name it. */
export interface Target {
  readonly type: ResourceType
  readonly name: string
  readonly namespace: string | undefined
}

/** `pod/busybox3` */
export function shownTarget(target: Pick<Target, 'type' | 'name'>): string {
  return `${shownKind(target.type)}/${target.name}`
}

/** `pod "busybox3" deleted` */
export function deletedLine(target: Pick<Target, 'type' | 'name'>): string {
  return `${shownKind(target.type)} "${target.name}" deleted`
}

export async function getObject(connection: Connection, { type, name, namespace }: Target): Promise<KubeObject> {
  if (isVirtualNode(type)) return virtualNodes.getVirtualNode(connection.client, name)
  return connection.client.get(type, name, namespace)
}

export function findObject(connection: Connection, target: Target): Promise<KubeObject | undefined> {
  return undefinedIfNotFound(getObject(connection, target))
}

/** Server-side apply: the server merges, and knows from the field manager which fields a later file has dropped. */
export async function applyObject(connection: Connection, target: Target, object: KubeObject): Promise<Outcome> {
  if (isVirtualNode(target.type)) return virtualNodes.applyVirtualNode(connection.client, object)
  const before = await findObject(connection, target)
  const after = (await connection.transport.json({
    method: 'PATCH',
    // Forced: whoever applies a file wants what the file says, as with calicoctl and with kubectl's default apply.
    path: withQuery(pathOf(target), { fieldManager, force: true, fieldValidation: 'Strict' }),
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: object,
  })) as KubeObject
  if (before === undefined) return 'created'
  return isEqualJson(before.metadata.resourceVersion, after.metadata.resourceVersion) ? 'unchanged' : 'configured'
}

export async function createObject(connection: Connection, target: Target, object: KubeObject): Promise<KubeObject> {
  if (isVirtualNode(target.type)) throw virtualNodes.notCreatable(target.name)
  const path = scopedCollectionPath(target.type, target.namespace)
  return (await connection.transport.json({
    method: 'POST',
    path: withQuery(path, { fieldManager, fieldValidation: 'Strict' }),
    body: object,
  })) as KubeObject
}

/** PUT. Without a resourceVersion in the file it replaces what is there now. */
export async function replaceObject(connection: Connection, target: Target, object: KubeObject): Promise<void> {
  if (isVirtualNode(target.type)) {
    await virtualNodes.replaceVirtualNode(connection.client, object)
    return
  }
  const resourceVersion =
    object.metadata.resourceVersion ?? (await getObject(connection, target)).metadata.resourceVersion ?? ''
  await connection.transport.json({
    method: 'PUT',
    path: withQuery(pathOf(target), { fieldManager, fieldValidation: 'Strict' }),
    body: { ...object, metadata: { ...object.metadata, resourceVersion } },
  })
}

/** Names of the objects of a kind that a selector selects. */
export async function selectTargets(
  connection: Connection,
  type: ResourceType,
  options: { namespace: string | undefined; labelSelector?: string | undefined },
): Promise<Target[]> {
  const { items } = await connection.client.list(type, options)
  return items.map(({ metadata }) => ({ type, name: metadata.name, namespace: metadata.namespace }))
}

/** The target that a document names; the namespace is the document's own, else the command's. */
export function targetOf(type: ResourceType, object: KubeObject, connection: Connection, flag?: string): Target {
  const { name, namespace } = object.metadata
  if (!type.isNamespaced) return { type, name, namespace: undefined }
  if (flag !== undefined && namespace !== undefined && flag !== namespace) {
    throw new TwinlaneError(`${type.kind} ${name} is for the namespace "${namespace}", but --namespace says "${flag}"`)
  }
  return { type, name, namespace: namespace ?? connection.namespace }
}

/** The same object with the namespace filled in that it goes to. */
export function placeObject(object: KubeObject, target: Target): KubeObject {
  if (target.namespace === undefined) return object
  return { ...object, metadata: { ...object.metadata, namespace: target.namespace } }
}

function pathOf({ type, name, namespace }: Target): string {
  return objectPath(type, name, namespace)
}

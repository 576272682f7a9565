import { TwinlaneError } from '../base/errors.ts'
import type { KubeClient } from '../kube/api.ts'
import { isNotFound, KubeError } from '../kube/errors.ts'
import { isEqualJson, mergePatch } from '../kube/patch.ts'
import { type NodeResource, nodes } from '../kube/resources/core.ts'
import { bgpConfigurations } from '../networks/routed/resources.ts'
import { toVirtualNode, type VirtualNode, virtualNodePatch } from '../networks/routed/virtual-node.ts'

/** Calico's Node, read from the core Node. Throws KubeError(404) in calicoctl's words. */
export async function getVirtualNode(client: KubeClient, name: string): Promise<VirtualNode> {
  return toVirtualNode(await getCoreNode(client, name))
}

export async function listVirtualNodes(client: KubeClient, labelSelector?: string): Promise<VirtualNode[]> {
  const { items } = await client.list(nodes, { labelSelector })
  return items.map((core) => toVirtualNode(core))
}

/**
 * Writes what the file says to the annotations of the core Node, and labels that differ to its labels.
 *
 * Calico keeps labels that Kubernetes does not have in an annotation of its own; here there is one set of labels, the
 * core Node's, so that selectors, kubectl and Calico's view agree. Labels are only added or changed, never removed.
 *
 * resourceVersion, uid and creationTimestamp of the file are ignored. People keep such files, and the numbers in them
 * are of another day or another cluster; the version is that of the whole core Node, which every kubelet heartbeat
 * changes, so comparing it would refuse nearly every edit. `replace` compares.
 */
export async function applyVirtualNode(client: KubeClient, node: VirtualNode): Promise<'configured' | 'unchanged'> {
  const before = await getCoreNode(client, node.metadata.name)
  const patch = virtualNodePatch(node)
  if (isEqualJson(mergePatch(before, patch.body), before)) return 'unchanged'
  await client.patch(nodes, node.metadata.name, patch)
  return 'configured'
}

/** Like apply, but a resourceVersion in the file must be the current one. Throws KubeError(409). */
export async function replaceVirtualNode(client: KubeClient, node: VirtualNode): Promise<void> {
  const { name, resourceVersion } = node.metadata
  const before = await getCoreNode(client, name)
  if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) {
    throw new KubeError(
      `update conflict: Node(${name}) is at resourceVersion ${before.metadata.resourceVersion}, the file says ${resourceVersion}`,
      {
        statusCode: 409,
        reason: 'Conflict',
        fix: `take resourceVersion out of the file, or read the node again: twinlane get node ${name} -o yaml`,
      },
    )
  }
  await client.patch(nodes, name, virtualNodePatch(node))
}

/** A merge patch of the virtual Node, in whatever form it looks like there. */
export async function patchVirtualNode(
  client: KubeClient,
  name: string,
  patch: object,
): Promise<'configured' | 'unchanged'> {
  return applyVirtualNode(client, mergePatch(await getVirtualNode(client, name), patch) as VirtualNode)
}

/** AS number of nodes that have none of their own. */
export async function clusterAsNumber(client: KubeClient): Promise<number | undefined> {
  return (await client.find(bgpConfigurations, 'default'))?.spec?.asNumber
}

export function notCreatable(name: string): TwinlaneError {
  return new TwinlaneError(`Node(${name}): a node comes into being when its kubelet registers it`, {
    fix: 'use "twinlane apply -f" to change what BGP knows about a node that exists',
  })
}

async function getCoreNode(client: KubeClient, name: string): Promise<NodeResource> {
  try {
    return await client.get(nodes, name)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new KubeError(`resource does not exist: Node(${name})`, { statusCode: 404, cause: error })
  }
}

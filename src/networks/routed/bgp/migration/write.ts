import type { KubeClient } from '../../../../kube/api.ts'
import { isAlreadyExists } from '../../../../kube/errors.ts'
import { nodes } from '../../../../kube/resources/core.ts'
import { bgpConfigurations, bgpPeers } from '../../resources.ts'
import { holdAnnotation } from '../hold-routes.ts'
import type { Change, PeerContent, Topology } from './topology.ts'

export async function loadTopology(kube: Pick<KubeClient, 'list'>): Promise<Topology> {
  const [nodeList, configurations, peers] = await Promise.all([
    kube.list(nodes),
    kube.list(bgpConfigurations),
    kube.list(bgpPeers),
  ])
  return { nodes: nodeList.items, configurations: configurations.items, peers: peers.items }
}

/** Writes `after`. Written already is success. */
export async function writeChange(kube: KubeClient, change: Change): Promise<void> {
  switch (change.kind) {
    case 'node':
      await kube.patch(nodes, change.name, { type: 'merge', body: { metadata: change.after } })
      return
    case 'peer':
      return writePeer(kube, change.name, change.after)
    case 'mesh': {
      const body = { spec: { nodeToNodeMeshEnabled: change.after } }
      await kube.patch(bgpConfigurations, 'default', { type: 'merge', body })
    }
  }
}

async function writePeer(kube: KubeClient, name: string, content: PeerContent | null): Promise<void> {
  if (content === null) return kube.delete(bgpPeers, name, { ignoreNotFound: true })
  const { labels, annotations, spec } = content
  const metadata = { name, ...(labels && { labels }), ...(annotations && { annotations }) }
  try {
    await kube.create(bgpPeers, { metadata, spec })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
}

/** On a BGPConfiguration that is there for a migration only. */
const madeForAnnotation = 'twinlane.io/made-for'

/** Agents hold the routes that they have from now on; there is a BGPConfiguration `default` afterwards. */
export async function startHold(kube: KubeClient, seconds: number, id: string): Promise<void> {
  const annotations = { [holdAnnotation]: `${seconds} ${id}` }
  try {
    const metadata = { name: 'default', annotations: { ...annotations, [madeForAnnotation]: 'bgp-migration' } }
    await kube.create(bgpConfigurations, { metadata, spec: {} })
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    await kube.patch(bgpConfigurations, 'default', { type: 'merge', body: { metadata: { annotations } } })
  }
}

/** A BGPConfiguration that says nothing and was not there before goes, too. */
export async function endHold(kube: KubeClient): Promise<void> {
  const found = await kube.find(bgpConfigurations, 'default')
  if (found === undefined) return
  const isEmpty = Object.values(found.spec ?? {}).every((value) => value === undefined || value === null)
  if (isEmpty && found.metadata.annotations?.[madeForAnnotation] !== undefined) {
    return kube.delete(bgpConfigurations, 'default', { ignoreNotFound: true })
  }
  const annotations = { [holdAnnotation]: null, [madeForAnnotation]: null }
  await kube.patch(bgpConfigurations, 'default', { type: 'merge', body: { metadata: { annotations } } })
}

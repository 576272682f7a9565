import { runAll } from '../../../base/undo.ts'
import { isNotFound } from '../../../kube/errors.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { releaseByHandle } from '../ipam/release.ts'
import { tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'
import { type Encapsulation, tunnelDevices } from '../tunnels/encapsulation.ts'
import { nodeAnnotations } from '../virtual-node.ts'
import { nftTable } from './build-nft.ts'
import type { NodeContext } from './context.ts'
import { senderRemoval } from './senders/build-senders.ts'
import { tunnelHandle } from './tunnel-end.ts'

const kinds = Object.keys(tunnelDevices) as Encapsulation[]

/**
 * Takes back what the network did on a node that leaves: tunnels with their routes and addresses, the nftables table.
 * Other nodes hear first, so that they stop sending. Interfaces of pods go with their pods; BIRD keeps its last file.
 * Nothing there is success. Works on a side that was not started. Throws CombinedError.
 */
export async function removeFromNode({ deps, store }: NodeContext): Promise<void> {
  const { kernel, kube, nodeName } = deps
  await runAll('taking back the routed network', [
    () => forgetTunnels(deps),
    () => removeRoutes(deps),
    ...kinds.map((kind) => () => removeDevice(deps, kind)),
    ...kinds.map((kind) => async () => {
      await releaseByHandle({ kube, store }, tunnelHandle(kind, nodeName))
    }),
    () => kernel.nft(undefined, `add table ${nftTable}\ndelete table ${nftTable}\n${senderRemoval}`),
  ])
}

type Deps = NodeContext['deps']

async function forgetTunnels({ kube, nodeName }: Deps): Promise<void> {
  const { vxlanTunnelAddress, vxlanTunnelMac, ipipTunnelAddress } = nodeAnnotations
  const annotations = { [vxlanTunnelAddress]: null, [vxlanTunnelMac]: null, [ipipTunnelAddress]: null }
  try {
    await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function removeRoutes({ kernel }: Deps): Promise<void> {
  const routes = await kernel.routes(undefined, { family: 4, protocol: tunnelRouteProtocol })
  await kernel.apply(
    undefined,
    routes.map((route) => ({ op: 'deleteRoute', route })),
  )
}

/** tunl0 is the kernel's own; down it does nothing. */
async function removeDevice({ kernel }: Deps, kind: Encapsulation): Promise<void> {
  const name = tunnelDevices[kind]
  const link = await kernel.findLink(undefined, name)
  if (link?.kind !== kind) return
  await kernel.apply(undefined, [kind === 'vxlan' ? { op: 'deleteLink', name } : { op: 'setLink', name, isUp: false }])
}

import { runAll } from '../../../base/undo.ts'
import { isNotFound } from '../../../kube/errors.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { releaseByHandle } from '../ipam/release.ts'
import { tunnelRouteProtocol } from '../tunnels/build-tunnels.ts'
import { type Encapsulation, encapsulations, tunnelDevices } from '../tunnels/encapsulation.ts'
import { endAnnotations } from '../tunnels/tunnel-node.ts'
import { nftTable } from './build-nft.ts'
import type { NodeContext } from './context.ts'
import { senderRemoval } from './senders/build-senders.ts'
import { tunnelHandle } from './tunnel-end.ts'

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
    ...encapsulations.map((kind) => () => removeDevice(deps, kind)),
    ...encapsulations.map((kind) => async () => {
      await releaseByHandle({ kube, store }, tunnelHandle(kind, nodeName))
    }),
    () => kernel.nft(undefined, `add table ${nftTable}\ndelete table ${nftTable}\n${senderRemoval}`),
  ])
}

type Deps = NodeContext['deps']

async function forgetTunnels({ kube, nodeName }: Deps): Promise<void> {
  const names = encapsulations.flatMap((kind) => Object.values(endAnnotations[kind]))
  const annotations = Object.fromEntries(names.map((name) => [name, null]))
  try {
    await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function removeRoutes({ kernel }: Deps): Promise<void> {
  const routes = await kernel.routes(undefined, { protocol: tunnelRouteProtocol })
  await kernel.apply(
    undefined,
    routes.map((route) => ({ op: 'deleteRoute', route })),
  )
}

/** tunl0 is the kernel's own; down it does nothing. */
async function removeDevice({ kernel }: Deps, kind: Encapsulation): Promise<void> {
  const name = tunnelDevices[kind]
  const link = await kernel.findLink(undefined, name)
  const isVxlan = kind !== 'ipip'
  if (link?.kind !== (isVxlan ? 'vxlan' : kind)) return
  await kernel.apply(undefined, [isVxlan ? { op: 'deleteLink', name } : { op: 'setLink', name, isUp: false }])
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runAll } from '../../../base/undo.ts'
import { isNotFound } from '../../../kube/errors.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { Transaction } from '../../../ovsdb/transaction.ts'
import { nodeAnnotation } from '../annotations.ts'
import type { OpenVSwitchTables } from '../tables/open-vswitch.ts'
import { integrationBridge } from '../topology/names.ts'
import { restoreChassis } from './chassis.ts'
import type { NodeContext } from './context.ts'
import { GatewayTakeover } from './gateway/takeover.ts'
import { fenceTable, gatewayTable, natTable, routeProtocol, rulePriority } from './numbers.ts'

/** What this node says of itself; its subnet and number are the controller's and stay. */
const ownAnnotations = [
  nodeAnnotation.chassisId,
  nodeAnnotation.gateway,
  nodeAnnotation.managementMacs,
  nodeAnnotation.primaryAddress,
  nodeAnnotation.hostCidrs,
]

/**
 * Takes back everything that this side did on the node, in reverse: first what points at the node, then the host's
 * network, the NIC, the switch. Each step is tried whatever happened to the others; done twice is success.
 */
export async function removeNode(context: NodeContext): Promise<void> {
  await runAll('removing the OVN network from this node', [
    () => removeAnnotations(context),
    () => removeHostNetwork(context),
    () => new GatewayTakeover(context).restoreOthers(undefined),
    () => removeTables(context),
    () => removeSwitch(context),
    () => rm(join(context.paths.stateFolder, 'ovn'), { recursive: true, force: true }),
  ])
}

async function removeAnnotations({ kube, nodeName }: NodeContext): Promise<void> {
  const annotations = Object.fromEntries(ownAnnotations.map((key) => [key, null]))
  try {
    await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

async function removeHostNetwork({ kernel }: NodeContext): Promise<void> {
  const priorities = new Set<number>(Object.values(rulePriority))
  const rules = (await kernel.rules(undefined)).filter((rule) => priorities.has(rule.priority))
  const routes = [
    ...(await kernel.routes(undefined, { table: gatewayTable })),
    ...(await kernel.routes(undefined, { protocol: routeProtocol })),
  ]
  await kernel.apply(undefined, [
    ...rules.map((rule) => ({ op: 'deleteRule', rule }) as const),
    ...routes.map((route) => ({ op: 'deleteRoute', route }) as const),
  ])
}

async function removeTables({ kernel }: NodeContext): Promise<void> {
  for (const table of [natTable, fenceTable]) await kernel.nft(undefined, `add table ${table}\ndelete table ${table}`)
}

/** ovn-controller, if it goes on, makes an empty br-int. */
async function removeSwitch(context: NodeContext): Promise<void> {
  const { local } = context
  const bridge = local.bridge(integrationBridge)
  const transaction = new Transaction<OpenVSwitchTables>()
  await restoreChassis(context, transaction)
  if (context.settings.tls !== undefined) transaction.update('Open_vSwitch', {}, { ssl: undefined })
  if (bridge !== undefined) transaction.mutate('Open_vSwitch', {}, { bridges: { delete: [bridge._uuid] } })
  await local.client.transact(transaction)
}

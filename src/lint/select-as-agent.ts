import { readConfigList } from '../cni/config.ts'
import { resourceNameOf } from '../kube/resources/net-attach-def.ts'
import { assignRouting } from '../meta/routing/assign-routing.ts'
import { requestedRuntimeConfig } from '../meta/runtime-config.ts'
import type { PodNetworks } from '../meta/select/pod-networks.ts'
import type { SelectedAttachment } from '../meta/select/types.ts'
import { selectNetworks } from '../meta/select-networks.ts'
import { drivers, findDriver } from '../networks/registry.ts'
import type { LintContext } from './context.ts'
import { defaultInterface } from './pod-selections.ts'

/**
 * What the agent would attach. What only a node knows is taken as given: its files, its plugins, the pod's devices.
 * Throws what the agent would throw: NetworkSelectionError, CniError, ConfigError.
 */
export function selectAsAgent(networks: PodNetworks, podNamespace: string, context: LintContext): SelectedAttachment[] {
  const { conf, definitions } = context
  const selected = selectNetworks({
    conf,
    networks,
    podNamespace,
    defaultInterface,
    runtimeConfig: {},
    base: 'delegates' in conf.networks ? conf.networks.delegates.map((list) => ({ networkName: list.name, list })) : [],
    findDefinition: (namespace, name) =>
      definitions.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? 'default') === namespace),
    findFile: (name) => anyNetwork(name, networks),
    fileProblems: [],
    devices: enoughDevices(networks, context),
    deviceInfoFile: () => '',
    findDriver,
    isInstalled: () => true,
    folders: [],
  })
  for (const { driver, configList } of selected) driver.parseConfig(configList)
  checkRouting(selected)
  return selected
}

/** Throws what the agent throws when it reads which prefixes a network keeps or takes. */
export function checkRouting(attachments: Parameters<typeof assignRouting>[0]): void {
  // Only a node knows what the words for prefixes stand for; all of them are known words.
  assignRouting(attachments, { conf: { name: 'twinlane' }, prefixes: { pods: [], services: [], nodes: [] } })
}

/** A network that honours every request: which one the node's file describes is not known. */
function anyNetwork(name: string, networks: PodNetworks): ReturnType<typeof readConfigList> {
  const wanted = networks.selections.flatMap((selection) => Object.keys(requestedRuntimeConfig(selection)))
  const capabilities = Object.fromEntries(wanted.map((key) => [key, true]))
  const type = drivers.find((driver) => driver.types.length === 0)?.name ?? 'any'
  return readConfigList({ cniVersion: '1.0.0', name, type, capabilities })
}

function enoughDevices(networks: PodNetworks, { definitions }: LintContext): Map<string, string[]> {
  const ids = [networks.defaultOverride, ...networks.selections].map((_, index) => `device-${index}`)
  return new Map(definitions.flatMap((one) => resourceNameOf(one) ?? []).map((resource) => [resource, ids]))
}

import { clusterRouter, podPort, routerToSwitch, switchToRouter } from '../topology/names.ts'

/** Names of OVN-Kubernetes for what belongs to a network beside the cluster's own: the network's name comes first. */
export const networkPrefix = (network: string): string => `${network.replaceAll('-', '.').replaceAll('/', '.')}_`

export const layer2Switch = (network: string): string => `${networkPrefix(network)}ovn_layer2_switch`
export const localnetSwitch = (network: string): string => `${networkPrefix(network)}ovn_localnet_switch`
export const secondaryLocalnetPort = (network: string): string => `${networkPrefix(network)}ovn_localnet_port`
export const secondaryRouter = (network: string): string => `${networkPrefix(network)}${clusterRouter}`
export const secondaryNodeSwitch = (network: string, node: string): string => `${networkPrefix(network)}${node}`
export const secondaryRouterToSwitch = (network: string, node: string): string =>
  routerToSwitch(secondaryNodeSwitch(network, node))
export const secondarySwitchToRouter = (network: string, node: string): string =>
  switchToRouter(secondaryNodeSwitch(network, node))

/** A pod has one port a definition; `nad` is `<namespace>/<name>`. */
export const secondaryPodPort = (nad: string, namespace: string, name: string): string =>
  `${networkPrefix(nad)}${podPort(namespace, name)}`

/** external_ids of OVN-Kubernetes. */
export const networkIdKey = 'k8s.ovn.org/network'
export const nadIdKey = 'k8s.ovn.org/nad'
export const topologyIdKey = 'k8s.ovn.org/topology'
export const roleIdKey = 'k8s.ovn.org/role'

import type { NetworkDriver } from '../driver.ts'
import { checkRoutedResource } from './check-resource.ts'
import { routedClusterSide } from './cluster/run.ts'
import {
  parseRoutedConfig,
  parseRoutedSettings,
  type RoutedConfig,
  type RoutedSettings,
  routedConfigKeys,
  routedIpamTypes,
} from './config.ts'
import { routedNodeSide } from './node/run.ts'
import { routedPodAnnotations } from './pod-outputs.ts'
import { previewRouted } from './preview.ts'
import { routedResources } from './resources.ts'

/** The Calico role: routed /32 addresses, announced by BGP. */
export const routedDriver: NetworkDriver<RoutedSettings, RoutedConfig> = {
  name: 'routed',
  types: ['twinlane-routed', 'calico'],
  ipamTypes: routedIpamTypes,
  capabilities: {
    runtimeConfig: ['ips', 'mac'],
    canBeDefault: true,
    isIndependent: true,
    reportsRoutes: true,
    configKeys: routedConfigKeys,
    verbs: ['CHECK', 'GC', 'STATUS'],
  },
  resources: routedResources,
  parseSettings: parseRoutedSettings,
  parseConfig: parseRoutedConfig,
  nodeSide: routedNodeSide,
  preview: previewRouted,
  checkResource: checkRoutedResource,
  podAnnotations: routedPodAnnotations,
  clusterSide: (_settings, deps) => routedClusterSide(deps),
}

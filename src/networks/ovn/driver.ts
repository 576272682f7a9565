import type { NetworkDriver } from '../driver.ts'
import { checkOvnResource } from './check-resource.ts'
import { ovnClusterSide } from './cluster/run.ts'
import {
  describeOvnConfig,
  type OvnConfig,
  type OvnSettings,
  ovnConfigKeys,
  ovnTypes,
  parseOvnConfig,
  parseOvnSettings,
} from './config.ts'
import { ovnNodeSide } from './node/run.ts'
import { previewOvn } from './preview.ts'
import { ovnResources } from './resources.ts'

/** The OVN-Kubernetes role: logical switches over Open vSwitch, on a NIC of its own. */
export const ovnDriver: NetworkDriver<OvnSettings, OvnConfig> = {
  name: 'ovn',
  types: ovnTypes,
  capabilities: {
    runtimeConfig: ['ips', 'mac'],
    canBeDefault: true,
    isIndependent: true,
    reportsRoutes: true,
    configKeys: ovnConfigKeys,
    needsPod: true,
    verbs: ['CHECK', 'GC', 'STATUS'],
  },
  resources: ovnResources,
  parseSettings: parseOvnSettings,
  parseConfig: parseOvnConfig,
  describeConfig: describeOvnConfig,
  checkResource: checkOvnResource,
  nodeSide: ovnNodeSide,
  preview: previewOvn,
  clusterSide: ovnClusterSide,
}

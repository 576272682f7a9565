import { TwinlaneError } from '../../../base/errors.ts'
import type { NodeDeps, NodeSide } from '../../driver.ts'
import type { RoutedConfig, RoutedSettings } from '../config.ts'

/** The routed network on one node. */
export function routedNodeSide(_settings: RoutedSettings, _deps: NodeDeps): NodeSide<RoutedConfig> {
  throw new TwinlaneError('the node side of the routed network is not built yet')
}

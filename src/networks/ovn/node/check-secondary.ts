import { ConfigError } from '../../../base/errors.ts'
import { CniError, cniErrorCode } from '../../../cni/errors.ts'
import type { AttachRequest } from '../../driver.ts'
import type { OvnConfig } from '../config.ts'
import { refuseOtherName } from '../secondary/network-set.ts'
import { bridgeMappings } from './chassis.ts'
import type { NodeContext } from './context.ts'

/** A definition that the controller refuses would be waited for in vain. Throws CniError. */
export function checkDefinition({ nad, config }: AttachRequest<OvnConfig>): void {
  if (nad === undefined || config.secondary === undefined) return
  try {
    refuseOtherName(config, `${nad.namespace}/${nad.name}`)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CniError(cniErrorCode.invalidNetworkConfig, error.message, { fix: error.fix ?? '' })
  }
}

/** A localnet network needs a bridge of the node that leads out; without it the pod would reach its own node only. */
export function requirePhysicalNetwork(
  context: Pick<NodeContext, 'local' | 'nodeName'>,
  { secondary }: Pick<OvnConfig, 'secondary'>,
): void {
  const physicalNetwork = secondary?.physicalNetwork
  if (physicalNetwork === undefined || bridgeMappings(context).has(physicalNetwork)) return
  throw new CniError(
    cniErrorCode.tryAgainLater,
    `node ${context.nodeName} has no bridge for the physical network "${physicalNetwork}" of network "${secondary?.name}"`,
    { fix: `Add "${physicalNetwork}:<bridge>" to external_ids:ovn-bridge-mappings of the node's Open_vSwitch row.` },
  )
}

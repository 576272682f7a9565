import { type Family, familyOf } from '../../base/ip.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import { gatewayOf, isOnLink, subnetsOf } from './routes.ts'
import type { RoutedAttachment } from './types.ts'

/** Who has the pod's default route of a family, because the annotation says so. */
export interface DefaultOwner {
  readonly family: Family
  readonly ifName: string
  readonly gateway: string
  readonly warning: string | undefined
}

/** Throws CniError when a gateway can be used nowhere, or when two are asked for in one family. */
export function findOwners(attachments: readonly RoutedAttachment[]): DefaultOwner[] {
  const owners = attachments.flatMap((attachment) =>
    (attachment.defaultRoute ?? []).map((gateway) => chooseGateway(attachment, gateway)),
  )
  for (const owner of owners) refuseSecond(owners, owner)
  return owners
}

/** Elements that are attached at different times are not seen together when the annotation is parsed. */
function refuseSecond(owners: readonly DefaultOwner[], owner: DefaultOwner): void {
  const other = owners.find((each) => each.family === owner.family && each !== owner)
  if (other === undefined) return
  throw new CniError(
    cniErrorCode.invalidNetworkConfig,
    `"default-route" asks for two IPv${owner.family} gateways, ${owner.gateway} (${owner.ifName}) and ${other.gateway} (${other.ifName})`,
    { fix: 'Keep one gateway for each of IPv4 and IPv6.' },
  )
}

function chooseGateway(attachment: RoutedAttachment, wanted: string): DefaultOwner {
  const family = familyOf(wanted)
  const { ifName, networkName, result } = attachment
  const own = gatewayOf(attachment, family)
  if (own === wanted || isOnLink(result, wanted)) return { family, ifName, gateway: wanted, warning: undefined }
  if (own === undefined) {
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      `default-route ${wanted} is not on the subnet of network "${networkName}" (${ifName}), which has no gateway of its own`,
      { fix: `Name a gateway on ${subnetsOf(result, family).join(', ') || `an IPv${family} subnet`}.` },
    )
  }
  const warning = `default-route ${wanted} is not on the subnet of network "${networkName}" (${ifName}) on this node; its own gateway ${own} is used`
  return { family, ifName, gateway: own, warning }
}

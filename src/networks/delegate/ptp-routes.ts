import { cidrOf, familyOf, formatCidr, hostPrefixOf, parseInterfaceAddress } from '../../base/ip.ts'
import type { CniIp, CniRoute } from '../../cni/result.ts'
import type { AttachmentPreview } from '../driver.ts'

type InstalledRoute = NonNullable<AttachmentPreview['installed']>[number]

const scopeLink = 253

/**
 * What the reference plugin `ptp` makes of a result: the subnet's own route gives way to one through the gateway, and
 * the gateway is on the link; then the routes of the configuration.
 */
export function ptpRoutes(device: string, ips: readonly CniIp[], routes: readonly CniRoute[]): InstalledRoute[] {
  return [
    ...ips.flatMap((ip) => subnetThroughGateway(device, ip)),
    ...routes.map(({ dst, gw }): InstalledRoute => {
      const { family, address, prefixLength } = parseInterfaceAddress(dst)
      const destination = formatCidr(cidrOf(address, prefixLength, family))
      return { family, destination, device, ...(gw === undefined ? { scope: scopeLink } : { gateway: gw }) }
    }),
  ]
}

function subnetThroughGateway(device: string, { address: text, gateway }: CniIp): InstalledRoute[] {
  if (gateway === undefined) return []
  const { family, address, prefixLength } = parseInterfaceAddress(text)
  const link = { family, destination: hostPrefixOf(gateway), device, source: address }
  const subnet = { family, destination: formatCidr(cidrOf(address, prefixLength, family)), device }
  return [familyOf(gateway) === 4 ? { ...link, scope: scopeLink } : link, { ...subnet, gateway, source: address }]
}

import { bigintToAddress, formatCidr, parseCidr } from '../../base/ip.ts'
import { withImpliedGateway } from '../../cni/implied-gateway.ts'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { CniIp, CniRoute } from '../../cni/result.ts'
import type { AttachmentPreview, PreviewFacts } from '../driver.ts'
import { ptpRoutes } from './ptp-routes.ts'

/** The keys of the reference plugins `static` and `host-local`; each plugin decides for itself what it makes of them. */
interface Ipam {
  readonly addresses?: readonly { address: string; gateway?: string }[]
  readonly subnet?: string
  readonly gateway?: string
  readonly ranges?: readonly (readonly { subnet: string; gateway?: string }[])[]
  readonly routes?: readonly CniRoute[]
}

/** What a plugin's configuration says; what the plugin does beyond it only its ADD can tell. */
export function previewDelegate(list: NetworkConfigList, { ifName, requested }: PreviewFacts): AttachmentPreview {
  const [plugin] = list.plugins
  const ipam = (plugin?.ipam ?? {}) as Ipam
  const sets = [
    ...(ipam.ranges ?? []),
    ...(ipam.subnet === undefined ? [] : [[{ subnet: ipam.subnet, gateway: ipam.gateway }]]),
  ]
  const fixed = requested.ips?.filter((ip) => ip.includes('/')).map((address): CniIp => ({ address }))
  const certain = fixed ?? ipam.addresses?.map(({ address, gateway }) => withGateway({ address }, gateway))
  const examples = sets.flatMap(([range]) => (range === undefined ? [] : [exampleOf(range)]))
  const ips = certain ?? examples
  const defaults = plugin?.isDefaultGateway === true ? ips.flatMap(defaultRoute) : []
  const mtu = typeof plugin?.mtu === 'number' && plugin.mtu > 0 ? plugin.mtu : undefined
  const routes = [...(ipam.routes ?? []).map((route) => withImpliedGateway(route, ips)), ...defaults]
  return {
    result: {
      interfaces: [{ name: ifName, sandbox: '' }],
      ips: ips.map((ip) => ({ ...ip, interface: 0 })),
      routes,
      dns: {},
    },
    ...(plugin?.type === 'ptp' ? { installed: ptpRoutes(ifName, ips, routes) } : {}),
    ranges: certain === undefined ? sets.flat().map(({ subnet }) => formatCidr(parseCidr(subnet))) : [],
    mac: requested.mac?.toLowerCase(),
    mtuBytes: mtu,
    notes: [`${ifName}: what the plugin "${plugin?.type}" does beyond its configuration only its ADD can tell`],
  }
}

function withGateway(ip: CniIp, gateway: string | undefined): CniIp {
  return gateway === undefined ? ip : { ...ip, gateway }
}

/** host-local's gateway is the first address of the subnet unless one is given; pods follow it. */
function exampleOf({ subnet, gateway }: { subnet: string; gateway?: string | undefined }): CniIp {
  const { first, family, prefixLength } = parseCidr(subnet)
  const at = (offset: bigint): string => bigintToAddress(first + offset, family)
  return { address: `${at(2n)}/${prefixLength}`, gateway: gateway ?? at(1n) }
}

function defaultRoute({ address, gateway }: CniIp): CniRoute[] {
  if (gateway === undefined) return []
  return [{ dst: parseCidr(address).family === 4 ? '0.0.0.0/0' : '::/0', gw: gateway }]
}

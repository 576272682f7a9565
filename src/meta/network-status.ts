import type { CniDns, CniInterface, CniIp, CniResult } from '../cni/result.ts'

/** An attachment as the annotation `k8s.v1.cni.cncf.io/network-status` tells it. */
export interface StatusSource {
  readonly networkName: string
  readonly ifName: string
  readonly isDefault: boolean
  /** As planRouting left it. */
  readonly result: CniResult
  /** Device information (specification 1.1.0) of the attachment's device. */
  readonly deviceInfo?: Readonly<Record<string, unknown>> | undefined
}

/** One element of the annotation (NPWG standard v1.3, section 5; key order as Multus writes it). */
interface NetworkStatusElement {
  name: string
  interface?: string
  ips?: string[]
  mac?: string
  mtu?: number
  default?: boolean
  dns: CniDns
  gateway?: string[]
  'device-info'?: Readonly<Record<string, unknown>>
}

/** The annotation's text, in Multus' layout: objects indented by four spaces, joined by a bare comma. */
export function renderNetworkStatus(attachments: readonly StatusSource[]): string {
  const elements = attachments.flatMap(buildElements)
  return `[${elements.map((element) => JSON.stringify(element, undefined, 4)).join(',')}]`
}

/**
 * One element for each interface that the attachment has in the pod. What an attachment has once (default, gateway,
 * device) stands at the interface of its first address with a gateway.
 */
function buildElements(source: StatusSource): NetworkStatusElement[] {
  const devices = interfacesOf(source)
  const main = mainInterface(source, devices)
  if (devices.length === 0) return [buildElement(source, undefined, { isMain: true, ips: source.result.ips })]
  return devices.map((device) =>
    buildElement(source, device, {
      isMain: device === main,
      ips: source.result.ips.filter((ip) => ownerOf(ip, source.result, devices) === device),
    }),
  )
}

function buildElement(
  source: StatusSource,
  device: CniInterface | undefined,
  { isMain, ips }: { isMain: boolean; ips: readonly CniIp[] },
): NetworkStatusElement {
  const { result, deviceInfo } = source
  const gateway = isMain ? gatewaysOf(result) : []
  return {
    name: source.networkName,
    ...(device === undefined ? {} : { interface: device.name }),
    ...(ips.length === 0 ? {} : { ips: ips.map(withoutPrefix) }),
    ...(device?.mac === undefined ? {} : { mac: device.mac }),
    ...(device?.mtu === undefined ? {} : { mtu: device.mtu }),
    ...(source.isDefault && isMain ? { default: true } : {}),
    dns: result.dns,
    ...(gateway.length === 0 ? {} : { gateway }),
    ...(deviceInfo === undefined || !isMain ? {} : { 'device-info': deviceInfo }),
  }
}

/** Interfaces in the pod; a plugin that reports none still made the one it was asked for, unless it reported nothing. */
function interfacesOf({ result, ifName }: StatusSource): CniInterface[] {
  const inPod = result.interfaces.filter((item) => (item.sandbox ?? '') !== '')
  if (inPod.length > 0 || result.ips.length === 0) return inPod
  return [{ name: ifName }]
}

/** An address without an interface is one of the first interface's (NPWG standard, section 5.3). */
function ownerOf(ip: CniIp, result: CniResult, devices: readonly CniInterface[]): CniInterface | undefined {
  const named = ip.interface === undefined ? undefined : result.interfaces[ip.interface]
  return named !== undefined && devices.includes(named) ? named : devices[0]
}

function mainInterface({ result }: StatusSource, devices: readonly CniInterface[]): CniInterface | undefined {
  const routed = result.ips.find((ip) => ip.gateway !== undefined)
  return routed === undefined ? devices[0] : ownerOf(routed, result, devices)
}

/** What readers of Multus' annotation parse. */
function withoutPrefix(ip: CniIp): string {
  return ip.address.replace(/\/.*/, '')
}

function gatewaysOf(result: CniResult): string[] {
  return result.routes.flatMap((route) => (/\/0$/.test(route.dst) && route.gw !== undefined ? [route.gw] : []))
}

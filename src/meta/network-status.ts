import type { CniDns, CniInterface, CniResult } from '../cni/result.ts'

/** An attachment as the annotation `k8s.v1.cni.cncf.io/network-status` tells it. */
export interface StatusSource {
  readonly networkName: string
  readonly ifName: string
  readonly isDefault: boolean
  /** As planRouting left it. */
  readonly result: CniResult
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
}

/** The annotation's text, in Multus' layout: objects indented by four spaces, joined by a bare comma. */
export function renderNetworkStatus(attachments: readonly StatusSource[]): string {
  const elements = attachments.map(buildElement)
  return `[${elements.map((element) => JSON.stringify(element, undefined, 4)).join(',')}]`
}

function buildElement(source: StatusSource): NetworkStatusElement {
  const { result } = source
  const device = interfaceOf(source)
  const ips = addressesOf(result)
  const gateway = gatewaysOf(result)
  return {
    name: source.networkName,
    ...(device === undefined ? {} : { interface: device.name }),
    ...(ips.length === 0 ? {} : { ips }),
    ...(device?.mac === undefined ? {} : { mac: device.mac }),
    ...(device?.mtu === undefined ? {} : { mtu: device.mtu }),
    ...(source.isDefault ? { default: true } : {}),
    dns: result.dns,
    ...(gateway.length === 0 ? {} : { gateway }),
  }
}

/** The interface in the pod; a plugin that reports none still made the one it was asked for, unless it reported nothing. */
function interfaceOf(source: StatusSource): CniInterface | undefined {
  const inPod = source.result.interfaces.filter((item) => (item.sandbox ?? '') !== '')
  const found = inPod.find((item) => item.name === source.ifName) ?? inPod[0]
  if (found !== undefined) return found
  return source.result.ips.length === 0 ? undefined : { name: source.ifName }
}

/** Without prefix lengths: what readers of Multus' annotation parse. */
function addressesOf(result: CniResult): string[] {
  return result.ips.map((ip) => ip.address.replace(/\/.*/, ''))
}

function gatewaysOf(result: CniResult): string[] {
  return result.routes.flatMap((route) => (/\/0$/.test(route.dst) && route.gw !== undefined ? [route.gw] : []))
}

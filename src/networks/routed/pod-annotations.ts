import { ConfigError } from '../../base/errors.ts'

/** What a pod's own annotations ask of its address (as Calico does). */
export interface PodAddressing {
  readonly addresses?: readonly string[] | undefined
  /** Names or prefixes. */
  readonly pools?: readonly string[] | undefined
}

const addressesAnnotation = 'cni.projectcalico.org/ipAddrs'
const poolsAnnotation = 'cni.projectcalico.org/ipv4pools'

/** Calico's annotations mean the pod's first interface, eth0. Throws ConfigError naming the annotation. */
export function podAddressing(annotations: Readonly<Record<string, string>>, ifName: string): PodAddressing {
  if (ifName !== 'eth0') return {}
  const addresses = parseList(addressesAnnotation, annotations[addressesAnnotation])
  if (addresses !== undefined && addresses.filter((address) => !address.includes(':')).length > 1) {
    throw new ConfigError(`annotation ${addressesAnnotation}`, 'cannot have more than one IPv4 address')
  }
  return { addresses, pools: parseList(poolsAnnotation, annotations[poolsAnnotation]) }
}

function parseList(annotation: string, text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined
  const problem = (what: string, cause?: unknown) =>
    new ConfigError(`annotation ${annotation}`, what, { fix: 'write a JSON array, e.g. ["10.244.0.7"]', cause })
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch (error) {
    throw problem('is not JSON', error)
  }
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) throw problem('is not a list of texts')
  if (list.length === 0) throw problem('specified but empty')
  return list
}

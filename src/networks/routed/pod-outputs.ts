import type { CniResult } from '../../cni/result.ts'
import type { AttachmentKey } from '../driver.ts'

/**
 * What Calico writes on a pod about eth0, so that others know its addresses before the kubelet has said them; blank once
 * it has none any more.
 */
export function routedPodAnnotations(
  { containerId, ifName }: AttachmentKey,
  result: CniResult | undefined,
): Record<string, string> {
  if (ifName !== 'eth0') return {}
  const addresses = result?.ips.map(({ address }) => address) ?? []
  return {
    'cni.projectcalico.org/podIP': addresses[0] ?? '',
    'cni.projectcalico.org/podIPs': addresses.join(','),
    'cni.projectcalico.org/containerID': result === undefined ? '' : containerId,
  }
}

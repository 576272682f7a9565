import type { NetworkSelection } from '../kube/resources/network-selection.ts'

/** What a selection asks for in the words of CNI's `runtimeConfig`; only what is asked for. */
export function requestedRuntimeConfig(selection: NetworkSelection): Record<string, unknown> {
  const values = {
    ips: selection.ips,
    mac: selection.mac,
    infinibandGUID: selection.infinibandGuid,
    portMappings: selection.portMappings,
    bandwidth: selection.bandwidth,
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

import { familyOf } from '../../../base/ip.ts'
import type { ResourceProblem } from '../../driver.ts'
import { PeerAddressError, splitPort } from '../bgp/select-peers.ts'
import type { BGPPeer, BGPPeerSpec } from '../resources.ts'
import { addressProblems, durationProblems, exclusive, isGiven, selectorProblems } from './fields.ts'

/** What is wrong with a BGPPeer by itself (rules as Calico's). A selector that matches nobody is told by the agents. Pure. */
export function checkBgpPeer({ spec = {} }: Partial<BGPPeer>): ResourceProblem[] {
  return [
    ...exclusive(spec, 'node', 'nodeSelector'),
    ...exclusive(spec, 'peerIP', 'peerSelector'),
    ...exclusive(spec, 'peerSelector', 'asNumber'),
    ...exclusive(spec, 'keepOriginalNextHop', 'nextHopMode'),
    ...selectorProblems('spec.nodeSelector', spec.nodeSelector),
    ...selectorProblems('spec.peerSelector', spec.peerSelector),
    ...remoteProblems(spec),
    ...reachableByProblems(spec),
    ...durationProblems('spec.maxRestartTime', spec.maxRestartTime),
  ]
}

function remoteProblems(spec: BGPPeerSpec): ResourceProblem[] {
  if (isGiven(spec, 'peerSelector')) return []
  if (!isGiven(spec, 'peerIP')) return [{ field: 'spec.peerIP', reason: 'is empty, and so is peerSelector: no peer' }]
  return peerAddress(spec) === undefined
    ? [{ field: 'spec.peerIP', reason: `"${spec.peerIP}" is not an address, or an address with a port` }]
    : []
}

function reachableByProblems(spec: BGPPeerSpec): ResourceProblem[] {
  if (!isGiven(spec, 'reachableBy')) return []
  const field = 'spec.reachableBy'
  if (!isGiven(spec, 'peerIP')) return [{ field, reason: 'must be empty when peerIP is empty' }]
  const peer = peerAddress(spec)
  return addressProblems(field, spec.reachableBy, peer === undefined ? undefined : familyOf(peer))
}

function peerAddress({ peerIP = '' }: BGPPeerSpec): string | undefined {
  try {
    return splitPort(peerIP).address
  } catch (error) {
    if (error instanceof PeerAddressError) return undefined
    throw error
  }
}

import type { NetworkSelection } from '../../../kube/resources/network-selection.ts'
import type { SecondaryNetwork } from './net-conf.ts'
import type { NetworkSet } from './network-set.ts'

/** One attachment that a pod asks for. */
export interface SecondaryRequest {
  /** `<namespace>/<name>` of the definition. */
  readonly nad: string
  readonly network: SecondaryNetwork
  readonly selection: NetworkSelection
}

export interface SecondaryAnswer {
  readonly requests: readonly SecondaryRequest[]
  /** Definitions of which the pod keeps what it has: named, or nobody can tell. */
  keeps(nad: string): boolean
  /** Why something that is named is not given. */
  readonly reason?: string
}

export const asksForNothing: SecondaryAnswer = { requests: [], keeps: () => false }

/**
 * Which secondary networks a pod asks for. Definitions that are missing or wrong are not in the set: a running pod
 * keeps its port there for as long as it names them, because a mistake in a definition must not cut it off.
 */
export function selectSecondary(
  { selections, isReadable }: { selections: readonly NetworkSelection[]; isReadable: boolean },
  { byNad }: NetworkSet,
): SecondaryAnswer {
  const named = selections.map((selection) => ({ nad: `${selection.namespace}/${selection.name}`, selection }))
  const keeps = (nad: string): boolean => !isReadable || named.some((each) => each.nad === nad)
  const known = named.flatMap(({ nad, selection }) => {
    const network = byNad.get(nad)
    return network === undefined ? [] : [{ nad, network, selection }]
  })
  const twice = known.find(({ nad }, index) => known.findIndex((each) => each.nad === nad) !== index)?.nad
  const requests = known.filter(({ nad }) => nad !== twice)
  if (twice === undefined) return { requests, keeps }
  return { requests, keeps, reason: `network ${twice} of OVN can be attached to a pod only once` }
}

import { isAddress } from '../../../base/ip.ts'
import type { ResourceProblem } from '../../driver.ts'
import type { IPAMConfiguration, IPReservation } from '../resources.ts'
import { cidrProblems } from './fields.ts'

/** Prefixes and single addresses. Pure. */
export function checkReservation({ spec = {} }: IPReservation): ResourceProblem[] {
  return (spec.reservedCIDRs ?? []).flatMap((text, index) =>
    isAddress(text) ? [] : cidrProblems(`spec.reservedCIDRs[${index}]`, text),
  )
}

/** The rules of Calico's own, in its sense. Pure. */
export function checkIpamConfiguration({ metadata, spec }: IPAMConfiguration): ResourceProblem[] {
  const { strictAffinity = false, autoAllocateBlocks = true } = spec ?? {}
  if (metadata.name !== 'default') {
    return [{ field: 'metadata.name', reason: `"${metadata.name}" is asked by nobody: it must be default` }]
  }
  if (strictAffinity || autoAllocateBlocks) return []
  const reason = 'cannot be false while strictAffinity is false: nodes would only borrow from one another'
  return [{ field: 'spec.autoAllocateBlocks', reason }]
}

import { AddressError, type Cidr, type Family, familyOf, isAddress, parseCidr } from '../../../base/ip.ts'
import type { ResourceProblem } from '../../driver.ts'
import { parseSelector, SelectorError } from '../selector.ts'

/** A prefix, masked strictly. Undefined values are nobody's problem: the schema says what is required. */
export function cidrProblems(field: string, text: string | undefined, family?: Family): ResourceProblem[] {
  if (text === undefined) return []
  const cidr = readCidr(text)
  if ('reason' in cidr) return [{ field, reason: cidr.reason }]
  if (family === undefined || cidr.family === family) return []
  return [{ field, reason: `${text} is not a prefix of IPv${family}` }]
}

export function readCidr(text: string): Cidr | { reason: string } {
  try {
    return parseCidr(text, { strict: true })
  } catch (error) {
    if (error instanceof AddressError) return { reason: error.message }
    throw error
  }
}

export function addressProblems(field: string, text: string | undefined, family?: Family): ResourceProblem[] {
  if (text === undefined || text === '') return []
  if (!isAddress(text)) return [{ field, reason: `"${text}" is not an IP address` }]
  if (family === undefined || familyOf(text) === family) return []
  return [{ field, reason: `${text} is not an address of IPv${family}` }]
}

/** A selector that cannot be read, with what cannot be read in it. */
export function selectorProblems(field: string, text: string | undefined): ResourceProblem[] {
  try {
    parseSelector(text ?? '')
    return []
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error
    return [{ field, reason: error.message }]
  }
}

/** A time such as `90s` or `1m30s`, in whole seconds. */
export function durationProblems(field: string, text: string | undefined): ResourceProblem[] {
  if (text === undefined || (text !== '' && /^(\d+h)?(\d+m)?(\d+s)?$/.test(text))) return []
  return [{ field, reason: `"${text}" is not a time such as 90s or 2m` }]
}

/** Of two fields only one may be given. */
export function exclusive(spec: object, one: string, other: string): ResourceProblem[] {
  if (!isGiven(spec, one) || !isGiven(spec, other)) return []
  return [{ field: `spec.${other}`, reason: `cannot be set together with ${one}` }]
}

/** Whether a field says something: an empty text does not. */
export function isGiven(spec: object, field: string): boolean {
  const value = (spec as Record<string, unknown>)[field]
  return value !== undefined && value !== null && value !== ''
}

import type { Family } from '../../../base/ip.ts'
import type { ResourceProblem } from '../../driver.ts'
import type { BGPFilter, BGPFilterRule } from '../resources.ts'
import { cidrProblems, readCidr } from './fields.ts'

/** What is wrong with a BGPFilter by itself (rules as Calico's). Pure. */
export function checkBgpFilter({ spec = {} }: BGPFilter): ResourceProblem[] {
  const lists = [
    ['importV4', 4],
    ['exportV4', 4],
    ['importV6', 6],
    ['exportV6', 6],
  ] as const
  return lists.flatMap(([field, family]) =>
    (spec[field] ?? []).flatMap((rule, index) => ruleProblems(`spec.${field}[${index}]`, rule, family)),
  )
}

function ruleProblems(field: string, rule: BGPFilterRule, family: Family): ResourceProblem[] {
  return [
    ...together(field, rule, 'cidr', 'matchOperator'),
    ...together(field, rule, 'matchOperator', 'cidr'),
    ...together(field, rule, 'prefixLength', 'cidr'),
    ...cidrProblems(`${field}.cidr`, rule.cidr, family),
    ...lengthProblems(field, rule),
  ]
}

function together(
  field: string,
  rule: BGPFilterRule,
  one: keyof BGPFilterRule,
  other: keyof BGPFilterRule,
): ResourceProblem[] {
  if (rule[one] === undefined || rule[other] !== undefined) return []
  return [{ field: `${field}.${one}`, reason: `means nothing without ${other}` }]
}

/** A range that no route can be in makes a rule that never matches. */
function lengthProblems(field: string, { cidr, matchOperator, prefixLength }: BGPFilterRule): ResourceProblem[] {
  if (prefixLength === undefined) return []
  const { min, max } = prefixLength
  if (matchOperator === 'Equal' || matchOperator === 'NotEqual') {
    return [{ field: `${field}.prefixLength`, reason: `means nothing with matchOperator ${matchOperator}` }]
  }
  if (min !== undefined && max !== undefined && min > max) {
    return [{ field: `${field}.prefixLength.min`, reason: `${min} is more than max, ${max}` }]
  }
  const prefix = cidr === undefined ? undefined : readCidr(cidr)
  if (max === undefined || prefix === undefined || 'reason' in prefix || max >= prefix.prefixLength) return []
  return [{ field: `${field}.prefixLength.max`, reason: `${max} is less than the length of ${cidr}` }]
}

import { closest } from '../../base/closest.ts'
import { selectionKeys } from '../../kube/resources/network-selection.ts'
import type { Finding } from '../finding.ts'
import { findNetworksJson, networksTextsOf } from '../pod-selections.ts'
import type { Rule } from '../rule.ts'

/** Keys that people write because they saw them somewhere, and what does what they want. */
const mistaken = new Map([
  ['ipRequest', 'ips'],
  ['macRequest', 'mac'],
  ['defaultRoute', 'default-route'],
  ['gateway', 'default-route'],
])

/** Keys of an element that nobody reads. */
export const podKeys: Rule = (subject, context) =>
  networksTextsOf(subject, context).flatMap((source) => {
    const json = findNetworksJson(source)
    const elements: unknown[] = Array.isArray(json?.value) ? json.value : []
    return elements.flatMap((element, index) =>
      Object.keys(element ?? {})
        .filter((key) => typeof element === 'object' && !selectionKeys.has(key))
        .map((key): Finding => {
          const near = mistaken.get(key) ?? closest(key, [...selectionKeys])
          return {
            rule: 'unknown-key',
            severity: 'warning',
            message: `unknown key "${key}"; it is ignored`,
            fix: near === undefined ? `Known are ${[...selectionKeys].join(', ')}.` : `Did you mean "${near}"?`,
            field: source.field,
            position: json?.positionOf(`[${index}].${key}`),
          }
        }),
    )
  })

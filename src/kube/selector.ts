import { KubeError } from './errors.ts'
import type { KubeObject } from './resources/meta.ts'

type Test = (labels: Readonly<Record<string, string>>) => boolean

/** Kubernetes label selector, `a=b,c!=d,e,!f,g in (x,y),h notin (z)`. Throws KubeError(400). */
export function parseLabelSelector(text: string): Test {
  const tests = splitTerms(text).map(parseTerm)
  return (labels) => tests.every((test) => test(labels))
}

/** Kubernetes field selector, `metadata.name=a,spec.nodeName!=b`, on any dotted path. Throws KubeError(400). */
export function parseFieldSelector(text: string): (object: KubeObject) => boolean {
  const tests = splitTerms(text).map((term) => {
    const match = /^([\w.]+)\s*(==|!=|=)\s*(.*)$/.exec(term)
    if (match === null) throw invalid('field', term)
    const [, path = '', operator, value] = match
    return (object: KubeObject): boolean => (fieldText(object, path) === value) === (operator !== '!=')
  })
  return (object) => tests.every((test) => test(object))
}

/** Both selectors at once; an absent one matches everything. */
export function parseSelectors(options: {
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
}): (object: KubeObject) => boolean {
  const hasLabels = parseLabelSelector(options.labelSelector ?? '')
  const hasFields = parseFieldSelector(options.fieldSelector ?? '')
  return (object) => hasLabels(object.metadata.labels ?? {}) && hasFields(object)
}

function parseTerm(term: string): Test {
  const set = /^([^\s!=,()]+)\s+(in|notin)\s+\(([^()]*)\)$/.exec(term)
  if (set !== null) {
    const [, key = '', operator, list = ''] = set
    const values = list.split(',').map((value) => value.trim())
    return (labels) => values.includes(labels[key] ?? '\0') === (operator === 'in')
  }
  const equality = /^([^\s!=,()]+)\s*(==|!=|=)\s*([^\s!=,()]*)$/.exec(term)
  if (equality !== null) {
    const [, key = '', operator, value] = equality
    return (labels) => (labels[key] === value) === (operator !== '!=')
  }
  const existence = /^(!?)\s*([^\s!=,()]+)$/.exec(term)
  if (existence === null) throw invalid('label', term)
  const [, negation, key = ''] = existence
  return (labels) => key in labels !== (negation === '!')
}

/** Splits at commas that are not inside parentheses. */
function splitTerms(text: string): string[] {
  return text
    .split(/,(?![^(]*\))/)
    .map((term) => term.trim())
    .filter((term) => term !== '')
}

function fieldText(object: unknown, path: string): string {
  let value = object
  for (const key of path.split('.')) value = (value as Record<string, unknown> | undefined | null)?.[key]
  return value === undefined || value === null ? '' : String(value)
}

function invalid(what: string, term: string): KubeError {
  return new KubeError(`cannot read the ${what} selector "${term}"`, { statusCode: 400, reason: 'BadRequest' })
}

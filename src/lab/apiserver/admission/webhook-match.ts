import { isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

/** What a webhook's rules and selectors look at. */
export interface Matchable {
  readonly operation: Operation
  readonly group: string
  readonly version: string
  /** `pods`, or `pods/status`. */
  readonly resource: string
  readonly isNamespaced: boolean
  /** Undefined for an object of the cluster, which a namespaceSelector never leaves out. */
  readonly namespaceLabels: JsonObject | undefined
  /** Of the new and of the old object, as far as there are. */
  readonly objectLabels: readonly JsonObject[]
}

/** Whether a webhook of a ValidatingWebhookConfiguration is to be asked. */
export function matchesWebhook(webhook: JsonObject, what: Matchable): boolean {
  const { namespaceLabels, objectLabels } = what
  return (
    listAt(webhook, 'rules').some((rule) => matchesRule(rule, what)) &&
    (namespaceLabels === undefined || matchesSelector(webhook.namespaceSelector, namespaceLabels)) &&
    objectLabels.some((labels) => matchesSelector(webhook.objectSelector, labels))
  )
}

function matchesRule(rule: unknown, what: Matchable): boolean {
  const has = (field: string, value: string): boolean => {
    const wanted = listAt(rule, field)
    return wanted.includes('*') || wanted.includes(value)
  }
  const scope = textAt(rule, 'scope') ?? '*'
  return (
    has('operations', what.operation) &&
    has('apiGroups', what.group) &&
    has('apiVersions', what.version) &&
    listAt(rule, 'resources').some((wanted) => matchesResource(String(wanted), what.resource)) &&
    (scope === '*' || (scope === 'Namespaced') === what.isNamespaced)
  )
}

/** `*` is every resource without subresources, `pods/*` every subresource of pods, `*\/status` that one of every kind. */
function matchesResource(wanted: string, actual: string): boolean {
  const [kind, sub] = wanted.split('/')
  const [actualKind, actualSub] = actual.split('/')
  const isSub = sub === actualSub || (sub === '*' && (actualSub !== undefined || kind === '*'))
  return isSub && (kind === '*' || kind === actualKind)
}

function matchesSelector(selector: unknown, labels: JsonObject): boolean {
  const equal = Object.entries(objectAt(selector, 'matchLabels')).every(([key, value]) => labels[key] === value)
  return equal && listAt(selector, 'matchExpressions').every((one) => isObject(one) && matchesExpression(one, labels))
}

function matchesExpression(expression: JsonObject, labels: JsonObject): boolean {
  const value = labels[String(expression.key)]
  const isListed = listAt(expression, 'values').includes(value)
  switch (expression.operator) {
    case 'In':
      return isListed
    case 'NotIn':
      return !isListed
    case 'Exists':
      return value !== undefined
    default:
      return value === undefined
  }
}

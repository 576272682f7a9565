import { at, isObject, listAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import type { Rules } from './rules.ts'

/**
 * A ValidatingWebhookConfiguration (admissionregistration.k8s.io/v1) with Kubernetes' defaults. What the lab cannot
 * carry out, a service as the address and conditions in CEL, is refused instead of ignored.
 */
export const webhookConfigurationRules: Rules = {
  setDefaults(object) {
    for (const webhook of listAt(object, 'webhooks').filter(isObject)) {
      webhook.failurePolicy ??= 'Fail'
      webhook.matchPolicy ??= 'Equivalent'
      webhook.namespaceSelector ??= {}
      webhook.objectSelector ??= {}
      webhook.timeoutSeconds ??= 10
      for (const rule of listAt(webhook, 'rules').filter(isObject)) rule.scope ??= '*'
    }
  },
  validate: (object: ApiObject) =>
    listAt(object, 'webhooks').flatMap((webhook, index) => checkWebhook(webhook, `webhooks[${index}]`)),
}

function checkWebhook(webhook: unknown, field: string): Cause[] {
  const seconds = at(webhook, 'timeoutSeconds')
  const isTimely = typeof seconds === 'number' && seconds >= 1 && seconds <= 30
  return [
    ...checkClient(webhook, `${field}.clientConfig`),
    ...oneOf(webhook, field, 'sideEffects', ['None', 'NoneOnDryRun']),
    ...oneOf(webhook, field, 'failurePolicy', ['Fail', 'Ignore']),
    ...(isTimely
      ? []
      : [invalidValue(`${field}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds')]),
    ...(listAt(webhook, 'admissionReviewVersions').includes('v1')
      ? []
      : [invalidValue(`${field}.admissionReviewVersions`, at(webhook, 'admissionReviewVersions'), 'must include v1')]),
    ...(listAt(webhook, 'matchConditions').length === 0
      ? []
      : [forbiddenField(`${field}.matchConditions`, 'the lab has no CEL')]),
  ]
}

function checkClient(webhook: unknown, field: string): Cause[] {
  if (at(webhook, 'clientConfig', 'service') !== undefined) {
    return [forbiddenField(`${field}.service`, "the lab's API server reaches no services; say clientConfig.url")]
  }
  const url = textAt(webhook, 'clientConfig', 'url')
  if (url === undefined) return [required(`${field}.url`, 'the lab needs the address of the webhook')]
  return URL.canParse(url) && new URL(url).protocol === 'https:'
    ? []
    : [invalidValue(`${field}.url`, url, "'https' is the only allowed URL scheme")]
}

function oneOf(webhook: unknown, field: string, key: string, allowed: readonly string[]): Cause[] {
  const value = textAt(webhook, key)
  if (value === undefined) return [required(`${field}.${key}`)]
  return allowed.includes(value) ? [] : [notSupported(`${field}.${key}`, value, allowed)]
}

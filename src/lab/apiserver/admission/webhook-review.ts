import { randomUUID } from 'node:crypto'
import { describeError } from '../../../base/errors.ts'
import type { Api, ResourceRequest } from '../api.ts'
import { isObject, type JsonObject, listAt } from '../json.ts'
import { type ApiObject, labelsOf } from '../object.ts'
import { StatusError } from '../status.ts'
import { callWebhook, type Verdict } from './webhook-call.ts'
import { type Matchable, matchesWebhook, type Operation } from './webhook-match.ts'

export const webhookCollection = 'admissionregistration.k8s.io/validatingwebhookconfigurations'

/** One object as a write would leave it and as it is. */
export interface Change {
  readonly operation: Operation
  readonly after: ApiObject | undefined
  readonly before: ApiObject | undefined
  readonly isDryRun: boolean
}

/** The webhooks of all configurations; those may themselves be changed whatever a webhook says. */
export function webhooksFor(api: Api, request: ResourceRequest): JsonObject[] {
  if (request.resource.collection === webhookCollection) return []
  return api.store.list(webhookCollection).flatMap(({ object }) => listAt(object, 'webhooks').filter(isObject))
}

/**
 * Asks all webhooks that match, side by side. Resolves with their warnings; throws 403 when one denies, and 500 when one
 * with failurePolicy Fail cannot be asked.
 */
export async function askWebhooks(api: Api, request: ResourceRequest, change: Change): Promise<string[]> {
  const what = matchableOf(api, request, change)
  const asked = webhooksFor(api, request).filter((webhook) => matchesWebhook(webhook, what))
  const verdicts = await Promise.all(asked.map((webhook) => ask(api, webhook, reviewOf(request, change))))
  const denied = verdicts.find((verdict) => verdict instanceof StatusError)
  if (denied !== undefined) throw denied
  return verdicts.flatMap((verdict) => (verdict instanceof StatusError ? [] : [...verdict.warnings]))
}

async function ask(api: Api, webhook: JsonObject, review: { uid: string }): Promise<Verdict | StatusError> {
  const name = String(webhook.name)
  try {
    const verdict = await callWebhook(webhook, review, api.connect)
    return verdict.allowed ? verdict : denial(name, verdict.message)
  } catch (error) {
    const why = `failed calling webhook "${name}": ${describeError(error)}`
    if (webhook.failurePolicy !== 'Ignore') {
      return new StatusError(500, 'InternalError', `Internal error occurred: ${why}`)
    }
    api.log.warn({ error }, `${why}; its failurePolicy is Ignore`)
    return { allowed: true, message: undefined, warnings: [] }
  }
}

function denial(name: string, message: string | undefined): StatusError {
  const start = `admission webhook "${name}" denied the request`
  return new StatusError(
    403,
    'Forbidden',
    message === undefined ? `${start} without explanation` : `${start}: ${message}`,
  )
}

function matchableOf(api: Api, { resource, namespace, subresource }: ResourceRequest, change: Change): Matchable {
  const home = resource.collection === '/namespaces' ? (change.after ?? change.before) : undefined
  const found = home ?? (namespace === undefined ? undefined : api.store.get('/namespaces', namespace)?.object)
  return {
    operation: change.operation,
    group: resource.group,
    version: resource.version,
    resource: subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`,
    isNamespaced: resource.isNamespaced,
    namespaceLabels: found === undefined ? undefined : labelsOf(found),
    objectLabels: [change.after, change.before].flatMap((object) => (object === undefined ? [] : [labelsOf(object)])),
  }
}

function reviewOf(request: ResourceRequest, { operation, after, before, isDryRun }: Change): { uid: string } {
  const { group, version, kind, plural } = request.resource
  const { name, groups } = request.user
  return {
    uid: randomUUID(),
    ...{ kind: { group, version, kind }, resource: { group, version, resource: plural } },
    ...(request.subresource === undefined ? {} : { subResource: request.subresource }),
    ...(request.namespace === undefined ? {} : { namespace: request.namespace }),
    ...{ name: (after ?? before)?.metadata.name, operation, userInfo: { username: name, groups } },
    ...{ object: after ?? null, oldObject: before ?? null, dryRun: isDryRun, options: null },
  }
}

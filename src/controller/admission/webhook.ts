import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { withDeadline } from '../../base/clock.ts'
import { describeError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Informer, KubeClient } from '../../kube/api.ts'
import { type NetworkAttachmentDefinition, networkAttachmentDefinitions } from '../../kube/resources/net-attach-def.ts'
import type { NetworkDriver } from '../../networks/driver.ts'
import { checkOwnKind } from './own-kinds.ts'
import {
  type AdmissionRequest,
  type AdmissionResponse,
  buildResponse,
  denyProblems,
  lintRequest,
  parseAdmissionReview,
} from './review.ts'

/** The API server waits this long at most; see deploy/admission.yaml. */
const answerWithinMs = 1000
/** An object has at most 1.5 MiB in etcd; a review holds two. */
const largestBodyBytes = 8 * 1024 * 1024

export interface WebhookOptions {
  /** Whose own kinds are checked by their own rules. */
  readonly drivers: readonly NetworkDriver[]
  readonly definitions: Informer<NetworkAttachmentDefinition>
  readonly kube: KubeClient
  readonly log: Log
  readonly globalNamespaces?: readonly string[] | undefined
}

/**
 * Answers HTTP requests of the API server: POST /validate with an AdmissionReview, GET /readyz. A failure of ours is
 * an HTTP error, never an allow: what then happens is the decision of the webhook's failurePolicy.
 */
export function createWebhook(options: WebhookOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    void respond(request, response, options)
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, options: WebhookOptions): Promise<void> {
  const { code, body } = await answer(request, options).catch((error: unknown) => {
    options.log.error({ error }, `admission failed: ${describeError(error)}`)
    return { code: 500, body: { message: describeError(error) } }
  })
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

async function answer(request: IncomingMessage, options: WebhookOptions): Promise<{ code: number; body: object }> {
  const path = request.url?.split('?')[0]
  const isReady = options.definitions.hasSynced
  if (path === '/readyz') return { code: isReady ? 200 : 503, body: { ready: isReady } }
  if (path !== '/validate') return { code: 404, body: { message: `there is no ${path}` } }
  if (request.method !== 'POST') return { code: 405, body: { message: 'only POST' } }
  if (!isReady) return { code: 503, body: { message: 'NetworkAttachmentDefinitions are not read yet' } }
  if (Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) > largestBodyBytes) {
    return { code: 413, body: { message: `more than ${largestBodyBytes} bytes` } }
  }
  const response = await validate(parseAdmissionReview(await text(request)), options)
  return { code: 200, body: { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response } }
}

async function validate(request: AdmissionRequest, options: WebhookOptions): Promise<AdmissionResponse> {
  const own = await checkOwnKind(request, options)
  if (own !== undefined) return denyProblems(request.uid, own)
  const { definitions, globalNamespaces } = options
  const known = lintRequest(request, { definitions: definitions.list(), isComplete: true, globalNamespaces })
  if (!known.some(({ rule }) => rule === 'unknown-network')) return buildResponse(request.uid, known)
  // The definition may be so new that the watch has not brought it: ask before refusing.
  const { items } = await withDeadline(options.kube.list(networkAttachmentDefinitions), {
    what: 'the list of NetworkAttachmentDefinitions',
    timeoutMs: answerWithinMs,
  })
  return buildResponse(request.uid, lintRequest(request, { definitions: items, isComplete: true, globalNamespaces }))
}

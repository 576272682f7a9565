import { request } from 'node:https'
import { isIP } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { TwinlaneError } from '../../../base/errors.ts'
import type { Connect } from '../../outgoing.ts'
import { at, isObject, type JsonObject, listAt, textAt } from '../json.ts'

/** What a webhook says about one write. */
export interface Verdict {
  readonly allowed: boolean
  readonly message: string | undefined
  readonly warnings: readonly string[]
}

/**
 * Sends an AdmissionReview (admission.k8s.io/v1) to a webhook. Rejects when it cannot be reached, is late by its
 * timeoutSeconds, or answers anything but a review with the request's uid.
 */
export async function callWebhook(
  webhook: JsonObject,
  review: { uid: string } & JsonObject,
  connect: Connect,
): Promise<Verdict> {
  const body = JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: review })
  const answer: unknown = JSON.parse(await post(webhook, body, connect))
  const response = at(answer, 'response')
  if (!isObject(response) || response.uid !== review.uid || typeof response.allowed !== 'boolean') {
    throw new TwinlaneError(`the answer is no AdmissionReview with response.uid ${review.uid}`)
  }
  return {
    allowed: response.allowed,
    message: textAt(response, 'status', 'message'),
    warnings: listAt(response, 'warnings').map(String),
  }
}

async function post(webhook: JsonObject, body: string, connect: Connect): Promise<string> {
  const seconds = Number(webhook.timeoutSeconds)
  const bundle = textAt(webhook, 'clientConfig', 'caBundle') ?? ''
  const url = new URL(textAt(webhook, 'clientConfig', 'url') ?? '')
  url.search = `?timeout=${seconds}s`
  // A URL has an IPv6 address in brackets.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const socket = await connect(host, Number(url.port || 443))
  const options = {
    method: 'POST',
    createConnection: (tls: object) => connectTls({ ...tls, socket, servername: isIP(host) > 0 ? '' : host }),
    signal: AbortSignal.timeout(seconds * 1000),
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    ...(bundle === '' ? {} : { ca: Buffer.from(bundle, 'base64') }),
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, options, (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject)
      else reject(new TwinlaneError(`the server answered HTTP ${response.statusCode}`))
    })
    sent.on('error', reject).end(body)
  })
}

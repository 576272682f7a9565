import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { describeError } from '../../../base/errors.ts'
import type { Api, ResourceRequest } from '../api.ts'
import { StatusError } from '../status.ts'
import { type ContainerTarget, findContainer, unreachable } from './target.ts'

const maxErrorBytes = 64 * 1024

/** GET …/log: streams what the node's kubelet has of the container's output. */
export async function streamLog(
  api: Api,
  request: ResourceRequest,
  name: string,
  response: ServerResponse,
): Promise<void> {
  const container = request.query.get('container') ?? undefined
  const target = findContainer(api, { namespace: request.namespace ?? '', pod: name, container })
  const answer = await askKubelet(target, request.query, response)
  if (answer.statusCode !== 200) throw await refusalOf(answer)
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache, private' })
  response.flushHeaders()
  await pipeline(answer, response).catch(() => {})
}

function askKubelet(
  target: ContainerTarget,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<IncomingMessage> {
  const { namespace, pod, container, socketPath, node } = target
  return new Promise((resolve, reject) => {
    const path = `/containerLogs/${namespace}/${pod}/${container}?${query.toString()}`
    const asked = httpRequest({ socketPath, path, headers: { host: node } }, resolve)
    asked.on('error', (error) => reject(unreachable(node, describeError(error))))
    response.once('close', () => asked.destroy())
    asked.end()
  })
}

/** The kubelet says why, in a Status or in plain text. */
async function refusalOf(answer: IncomingMessage): Promise<StatusError> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= maxErrorBytes) chunks.push(chunk)
  }
  const text = Buffer.concat(chunks).toString('utf8').trim()
  return new StatusError(answer.statusCode ?? 500, 'BadRequest', messageOf(text))
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : text
  } catch {
    return text
  }
}

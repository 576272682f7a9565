import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Api, ResourceRequest } from './api.ts'
import { discover, serverVersion } from './discovery.ts'
import { type Body, decodeBody, readBody } from './http/body.ts'
import { formOf } from './http/negotiate.ts'
import { parseResourcePath } from './http/path.ts'
import { presenterFor } from './http/present.ts'
import { sendJson } from './http/send.ts'
import { userOf } from './http/user.ts'
import { streamLog } from './kubelet/logs.ts'
import { portForwardRefusal } from './kubelet/sessions.ts'
import type { ApiObject } from './object.ts'
import type { Verb } from './resources/resource.ts'
import { badRequest, methodNotAllowed, noSuchPath } from './status.ts'
import { create } from './verbs/create.ts'
import { deleteMany, deleteOne } from './verbs/delete.ts'
import { getAsText } from './verbs/get.ts'
import { listObjects } from './verbs/list.ts'
import { patch } from './verbs/patch.ts'
import { bind, bindByName, evict } from './verbs/pod-actions.ts'
import { reviewedWrite } from './verbs/reviewed-write.ts'
import { review } from './verbs/reviews.ts'
import { update } from './verbs/update.ts'
import { watchObjects } from './verbs/watch.ts'

/** Answers one HTTP request. Rejects with a StatusError for the caller to send. */
export async function route(
  api: Api,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const user = userOf(request)
  const url = new URL(request.url ?? '/', 'https://localhost')
  const path = parseResourcePath(url.pathname)
  if (path === undefined) return serveDocument(api, request, response, url)
  const resource = api.resources.find(path.group, path.version, path.plural)
  if (resource === undefined) throw noSuchPath()
  const known: ResourceRequest = {
    method: request.method ?? 'GET',
    resource,
    namespace: path.namespace,
    name: path.name,
    subresource: path.subresource,
    query: url.searchParams,
    contentType: request.headers['content-type'] ?? '',
    accept: request.headers.accept ?? '',
    user,
    userAgent: (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown',
  }
  checkScope(known)
  if (known.method === 'GET' || known.method === 'HEAD') return read(api, known, response, signal)
  const body = decodeBody(await readBody(request), known.contentType)
  const answer = await reviewedWrite(api, known, body, write)
  await api.store.durable()
  sendAnswer(known, response, answer)
}

/** What is not about objects of a kind. */
function serveDocument(api: Api, request: IncomingMessage, response: ServerResponse, url: URL): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed()
  const { pathname } = url
  const isProbe = ['/healthz', '/livez', '/readyz'].includes(pathname)
  const found = discover(api.resources, pathname, request.headers.accept ?? '') ?? openApiDocument(api, pathname)
  if (isProbe) sendJson(response, 200, 'ok', { contentType: 'text/plain; charset=utf-8' })
  else if (pathname === '/version') sendJson(response, 200, JSON.stringify(serverVersion))
  else if (found === undefined) throw noSuchPath()
  else sendJson(response, 200, found.json, { contentType: found.contentType })
}

function openApiDocument(api: Api, pathname: string): { json: string; contentType: string } | undefined {
  const json = api.openApi.find(pathname)
  return json === undefined ? undefined : { json, contentType: 'application/json' }
}

/** A namespaced kind's objects are named below a namespace; a cluster's kind never is. */
function checkScope({ resource, namespace, name, method }: ResourceRequest): void {
  if (!resource.isNamespaced && namespace !== undefined) throw noSuchPath()
  const needsNamespace = name !== undefined || method !== 'GET'
  if (resource.isNamespaced && namespace === undefined && needsNamespace) throw methodNotAllowed()
}

async function read(api: Api, request: ResourceRequest, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const { name, subresource, query } = request
  const isWatch = ['true', '1'].includes(query.get('watch') ?? '')
  allow(request, isWatch ? 'watch' : name === undefined ? 'list' : 'get')
  if (subresource === 'log' && name !== undefined) return streamLog(api, request, name, response)
  if (subresource !== undefined && subresource !== 'status') throw withoutUpgrade(request)
  if (isWatch) return watchObjects(api, request, response, signal)
  const text = name === undefined ? await listObjects(api, request) : await getAsText(api, request, name)
  sendJson(response, 200, text)
}

function write(api: Api, request: ResourceRequest, body: Body): Answer {
  const { method, name, subresource } = request
  if (subresource !== undefined && subresource !== 'status') return act(api, request, body)
  if (name === undefined) return writeCollection(api, request, body)
  switch (method) {
    case 'PUT':
      allow(request, 'update')
      return update(api, request, name, body)
    case 'PATCH':
      allow(request, 'patch')
      return patch(api, request, name, body)
    case 'DELETE':
      allow(request, 'delete')
      return deleteOne(api, request, name, body)
    default:
      throw methodNotAllowed()
  }
}

function writeCollection(api: Api, request: ResourceRequest, body: Body): Answer {
  if (request.method === 'DELETE') {
    allow(request, 'deletecollection')
    return deleteMany(api, request, body)
  }
  if (request.method !== 'POST') throw methodNotAllowed()
  allow(request, 'create')
  if (request.resource.plural === 'bindings') return bindByName(api, request, body)
  return request.resource.verbs.length === 1 ? review(request, body) : create(api, request, body)
}

/** The subresources of pods that do something. */
function act(api: Api, request: ResourceRequest, body: Body): Answer {
  const { name, subresource, resource, method } = request
  const isServed = resource.subresources.some((one) => one.name === subresource)
  if (name === undefined || !isServed) throw withoutUpgrade(request)
  if (method === 'POST' && subresource === 'binding') return bind(api, request, name, body)
  if (method === 'POST' && subresource === 'eviction') return evict(api, request, name, body)
  throw withoutUpgrade(request)
}

/** exec, attach and port-forward take over their connection and never come this way in earnest. */
function withoutUpgrade({ resource, subresource }: ResourceRequest): Error {
  if (resource.collection !== '/pods') return noSuchPath()
  if (subresource === 'portforward') return portForwardRefusal()
  return ['exec', 'attach'].includes(subresource ?? '') ? badRequest('Upgrade request required') : noSuchPath()
}

function allow({ resource, subresource }: ResourceRequest, verb: Verb): void {
  if (subresource === 'status' && !resource.hasStatus) throw noSuchPath()
  if (subresource === undefined && !resource.verbs.includes(verb)) throw methodNotAllowed()
}

/** A write's answer is an object too, and may be asked for as a table. */
function sendAnswer(request: ResourceRequest, response: ServerResponse, { code, body, warnings = [] }: Answer): void {
  const json = JSON.stringify(body)
  const isObject = (body as ApiObject).kind === request.resource.kind
  const isPlain = formOf(request.accept) === 'object'
  const text = isObject && !isPlain ? presenterFor(request).one({ object: body as ApiObject, json }) : json
  sendJson(response, code, text, { warnings })
}

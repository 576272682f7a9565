import { mkdir, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import type { Log } from '../base/log.ts'

export interface HealthSources {
  /** Why the node is not ready; empty when it is. */
  readonly problems: () => Promise<readonly string[]>
  readonly metrics: () => Promise<string>
}

export interface HealthServer {
  close(): Promise<void>
}

/**
 * Serves /healthz (the process answers), /readyz (503 with one reason a line) and /metrics on `address:port` or a unix
 * socket. Rejects when the address cannot be used.
 */
export async function serveHealth(address: string, sources: HealthSources): Promise<HealthServer> {
  const server = createServer({ requestTimeout: 5000, headersTimeout: 5000 }, (request, response) => {
    void answer(request.url?.split('?')[0] ?? '/', sources, response)
  })
  // Probes and a scraper: who wants more holds up nobody but himself.
  server.maxConnections = 16
  if (address.startsWith('/')) await clearPath(address)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(parseAddress(address), resolve)
  })
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** As serveHealth, unless it is `off`. They are worth less than the pods: where they fail the agent goes on without. */
export async function tryServeHealth(
  address: string,
  sources: HealthSources,
  log: Log,
): Promise<HealthServer | undefined> {
  if (address === 'off') return undefined
  try {
    return await serveHealth(address, sources)
  } catch (error) {
    log.error({ error, fix: 'Set agent.httpAddress to a free address.' }, `no health and metrics on ${address}`)
    return undefined
  }
}

/** A socket left by a dead agent is in the way. */
async function clearPath(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await rm(path, { force: true })
}

/** `127.0.0.1:9091`, `[::1]:9091` or the path of a unix socket. */
export function parseAddress(address: string): { path: string } | { host: string; port: number } {
  if (address.startsWith('/')) return { path: address }
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

async function answer(path: string, sources: HealthSources, response: ServerResponse): Promise<void> {
  if (path === '/healthz') return send(response, 200, 'ok\n')
  if (path === '/metrics') return send(response, 200, await sources.metrics())
  if (path !== '/readyz') return send(response, 404, 'there are /healthz, /readyz and /metrics\n')
  const problems = await sources.problems()
  if (problems.length === 0) return send(response, 200, 'ok\n')
  send(response, 503, problems.map((problem) => `${problem}\n`).join(''))
}

function send(response: ServerResponse, statusCode: number, text: string): void {
  response.writeHead(statusCode, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text)
}

import type { LogOptions } from './log-lines.ts'

export interface StreamPath {
  readonly action: 'containerLogs' | 'exec' | 'attach'
  readonly namespace: string
  readonly pod: string
  readonly container: string
}

/** `/ACTION/NAMESPACE/POD/CONTAINER`; undefined for any other path. */
export function parseStreamPath(path: string): StreamPath | undefined {
  const match = /^\/(containerLogs|exec|attach)\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(path)
  if (match === null) return undefined
  const [, action, namespace = '', pod = '', container = ''] = match
  return { action: action as StreamPath['action'], namespace, pod, container }
}

/** Whether a query parameter is set: `stdin`, `stdin=true` and `stdin=1` all are. */
export function isOn(query: URLSearchParams, name: string): boolean {
  return query.has(name) && !['false', '0'].includes(query.get(name) ?? '')
}

export function parseLogQuery(query: URLSearchParams, nowMs = Date.now()): LogOptions {
  const sinceSeconds = numberIn(query, 'sinceSeconds')
  const sinceTime = query.get('sinceTime')
  return {
    follow: isOn(query, 'follow'),
    previous: isOn(query, 'previous'),
    timestamps: isOn(query, 'timestamps'),
    tailLines: numberIn(query, 'tailLines'),
    sinceMs: sinceSeconds !== undefined ? nowMs - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined,
    limitBytes: numberIn(query, 'limitBytes'),
  }
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
}

import { parseWatchEvent } from '../kube/client.ts'
import { splitLines } from '../kube/json-lines.ts'
import { collectionPath, objectPath, withQuery } from '../kube/path.ts'
import type { KubeObject, ListMeta, ResourceType } from '../kube/resources/meta.ts'
import type { Transport } from '../kube/transport.ts'

/** meta.k8s.io/v1 Table: the server decides the columns. */
export interface ServerTable {
  readonly metadata?: ListMeta
  readonly columnDefinitions: readonly { readonly name: string; readonly priority?: number }[]
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly object?: KubeObject }[]
}

export interface TableQuery {
  readonly type: ResourceType
  readonly namespace: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }

/** A collection as the server tabulates it, all pages. Throws KubeError. */
export async function listTable(transport: Transport, query: TableQuery): Promise<ServerTable> {
  const { type, namespace, labelSelector, fieldSelector } = query
  let table: ServerTable = { columnDefinitions: [], rows: [] }
  let token: string | undefined
  do {
    const path = withQuery(collectionPath(type, namespace), {
      labelSelector,
      fieldSelector,
      limit: 500,
      continue: token,
    })
    const page = (await transport.json({ method: 'GET', path, headers })) as ServerTable
    table = {
      metadata: page.metadata ?? {},
      columnDefinitions: table.rows.length === 0 ? (page.columnDefinitions ?? []) : table.columnDefinitions,
      rows: [...table.rows, ...(page.rows ?? [])],
    }
    token = page.metadata?.continue || undefined
  } while (token !== undefined)
  return table
}

export async function getTable(
  transport: Transport,
  type: ResourceType,
  name: string,
  namespace?: string,
): Promise<ServerTable> {
  return (await transport.json({ method: 'GET', path: objectPath(type, name, namespace), headers })) as ServerTable
}

/** Later changes of a collection, one row each, until the signal aborts. The server is asked again whenever it ends the watch. */
export async function* watchTable(
  transport: Transport,
  query: TableQuery & { resourceVersion: string | undefined; signal?: AbortSignal },
): AsyncIterable<ServerTable> {
  const { type, namespace, labelSelector, fieldSelector, signal } = query
  let { resourceVersion } = query
  while (signal?.aborted !== true) {
    const path = withQuery(collectionPath(type, namespace), { watch: 1, labelSelector, fieldSelector, resourceVersion })
    const body = await transport.stream({ method: 'GET', path, headers, signal, idleTimeoutMs: 0 })
    for await (const line of splitLines(body)) {
      if (line.trim() === '') continue
      const table = parseWatchEvent(`watch ${path}`, line).object as unknown as ServerTable
      resourceVersion = table.rows.at(-1)?.object?.metadata.resourceVersion ?? resourceVersion
      yield table
    }
  }
}

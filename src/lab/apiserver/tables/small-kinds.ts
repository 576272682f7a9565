import { isObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { ageColumn, ageOf, nameColumn, sinceText, type TableColumns } from './table.ts'

export const namespaceColumns: TableColumns = {
  columns: [nameColumn, { name: 'Status', type: 'string', description: 'Active or Terminating.' }, ageColumn],
  cells: (namespace) => [namespace.metadata.name, textAt(namespace, 'status', 'phase') ?? 'Active', ageOf(namespace)],
}

export const configMapColumns: TableColumns = {
  columns: [nameColumn, { name: 'Data', type: 'string', description: 'Number of entries.' }, ageColumn],
  cells: (map) => [map.metadata.name, countKeys(map, 'data') + countKeys(map, 'binaryData'), ageOf(map)],
}

export const secretColumns: TableColumns = {
  columns: [
    nameColumn,
    { name: 'Type', type: 'string', description: 'What the secret is for.' },
    { name: 'Data', type: 'string', description: 'Number of entries.' },
    ageColumn,
  ],
  cells: (secret) => [secret.metadata.name, secret.type, countKeys(secret, 'data'), ageOf(secret)],
}

export const webhookConfigurationColumns: TableColumns = {
  columns: [nameColumn, { name: 'Webhooks', type: 'integer', description: 'Number of webhooks.' }, ageColumn],
  cells: (one) => [one.metadata.name, listAt(one, 'webhooks').length, ageOf(one)],
}

export const serviceAccountColumns: TableColumns = {
  columns: [nameColumn, { name: 'Secrets', type: 'string', description: 'Number of secrets.' }, ageColumn],
  cells: (account) => [account.metadata.name, listAt(account, 'secrets').length, ageOf(account)],
}

export const leaseColumns: TableColumns = {
  columns: [nameColumn, { name: 'Holder', type: 'string', description: 'Who holds the lease.' }, ageColumn],
  cells: (lease) => [lease.metadata.name, textAt(lease, 'spec', 'holderIdentity') ?? '', ageOf(lease)],
}

export const customResourceDefinitionColumns: TableColumns = {
  columns: [nameColumn, { name: 'Created At', type: 'date', description: 'When it was created.' }],
  cells: (crd) => [crd.metadata.name, crd.metadata.creationTimestamp],
}

export const eventColumns: TableColumns = {
  columns: [
    { name: 'Last Seen', type: 'string', description: 'When the event was last recorded.' },
    { name: 'Type', type: 'string', description: 'Normal or Warning.' },
    { name: 'Reason', type: 'string', description: 'Why the event was recorded.' },
    { name: 'Object', type: 'string', description: 'What the event is about.' },
    { name: 'Subobject', type: 'string', priority: 1, description: 'Part of the object.' },
    { name: 'Source', type: 'string', priority: 1, description: 'Who recorded it.' },
    { name: 'Message', type: 'string', description: 'What happened.' },
    { name: 'First Seen', type: 'string', priority: 1, description: 'When the event was first recorded.' },
    { name: 'Count', type: 'string', priority: 1, description: 'How often it was recorded.' },
    { ...nameColumn, priority: 1 },
  ],
  cells(event) {
    const about = objectAt(event, 'involvedObject')
    const first = event.firstTimestamp ?? event.eventTime
    return [
      lastSeenText(event),
      event.type,
      event.reason,
      `${String(about.kind ?? '').toLowerCase()}/${String(about.name ?? '')}`,
      about.fieldPath ?? '',
      sourceText(event),
      String(event.message ?? '').trim(),
      sinceText(first),
      countOf(event),
      event.metadata.name,
    ]
  },
}

function lastSeenText(event: ApiObject): string {
  const { series } = event
  const last = isObject(series) ? series.lastObservedTime : event.lastTimestamp
  return sinceText(last ?? event.eventTime ?? event.metadata.creationTimestamp)
}

function countOf(event: ApiObject): unknown {
  return isObject(event.series) ? event.series.count : (event.count ?? 1)
}

function sourceText(event: ApiObject): string {
  const { component = event.reportingComponent ?? '', host = event.reportingInstance ?? '' } = objectAt(event, 'source')
  return [component, host].filter((text) => text !== '').join(', ')
}

function countKeys(object: ApiObject, field: string): number {
  return Object.keys(objectAt(object, field)).length
}

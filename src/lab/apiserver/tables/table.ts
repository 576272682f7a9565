import type { ApiObject } from '../object.ts'

export interface TableColumn {
  readonly name: string
  readonly type: string
  readonly format?: string
  readonly description?: string
  /** 0 = always shown, 1 = only with -o wide. */
  readonly priority?: number
}

/** What `kubectl get` prints of a kind: the columns, and one row's cells in their order. */
export interface TableColumns {
  readonly columns: readonly TableColumn[]
  cells(object: ApiObject): unknown[]
}

export const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
}

export const ageColumn: TableColumn = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
}

/** NAME and AGE, for kinds without columns of their own. */
export const defaultColumns: TableColumns = {
  columns: [nameColumn, ageColumn],
  cells: (object) => [object.metadata.name, ageOf(object)],
}

/** Time since creation in kubectl's short form. */
export function ageOf(object: ApiObject): string {
  return sinceText(object.metadata.creationTimestamp)
}

/** Time since a moment, or `<unknown>`. */
export function sinceText(time: unknown, now = Date.now()): string {
  const start = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(start) ? '<unknown>' : durationText((now - start) / 1000)
}

/** A duration in at most two units, as kubectl shortens it: 45s, 3m20s, 47m, 2h15m, 9h, 3d4h, 12d, 2y30d. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86400)]
  if (whole < 120) return `${whole}s`
  if (minutes < 10) return pair(minutes, 'm', whole % 60, 's')
  if (hours < 3) return `${minutes}m`
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  if (days < 8) return pair(days, 'd', hours % 24, 'h')
  if (days < 365 * 2) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}

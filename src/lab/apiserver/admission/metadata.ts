import { isObject } from '../json.ts'
import type { ApiObject } from '../object.ts'
import type { Resource } from '../resources/resource.ts'
import { type Cause, invalidValue } from '../status.ts'
import { checkName } from './names.ts'

const qualifiedName =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/
const maxAnnotationBytes = 256 * 1024

const nameRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

/** Faults of what every object carries. */
export function checkMetadata(resource: Resource, object: ApiObject): Cause[] {
  const { name, labels, annotations, finalizers } = object.metadata
  return [
    ...checkName(resource, name ?? ''),
    ...checkLabels('metadata.labels', labels),
    ...checkAnnotations(annotations),
    ...(finalizers ?? [])
      .filter((one) => !qualifiedName.test(one))
      .map((one) => invalidValue('metadata.finalizers', one, nameRule)),
  ]
}

export function checkLabels(field: string, labels: unknown): Cause[] {
  if (!isObject(labels)) return []
  return Object.entries(labels).flatMap(([key, value]) => [
    ...(qualifiedName.test(key) ? [] : [invalidValue(field, key, nameRule)]),
    ...(typeof value === 'string' && labelValue.test(value) ? [] : [invalidValue(field, value, valueRule)]),
  ])
}

function checkAnnotations(annotations: Record<string, string> | undefined): Cause[] {
  const field = 'metadata.annotations'
  const entries = Object.entries(annotations ?? {})
  const size = entries.reduce((sum, [key, value]) => sum + key.length + String(value).length, 0)
  return [
    ...entries
      .filter(([key]) => !qualifiedName.test(key.toLowerCase()))
      .map(([key]) => invalidValue(field, key, nameRule)),
    ...(size > maxAnnotationBytes
      ? [{ reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maxAnnotationBytes} bytes`, field }]
      : []),
  ]
}

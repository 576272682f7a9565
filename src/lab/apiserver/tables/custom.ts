import { isObject, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { parseJsonPath } from './json-path.ts'
import { defaultColumns, nameColumn, sinceText, type TableColumn, type TableColumns } from './table.ts'

/** Columns of a custom kind from its definition's additionalPrinterColumns: NAME first; NAME and AGE when there are none. */
export function customColumns(declared: readonly unknown[]): TableColumns {
  if (declared.length === 0) return defaultColumns
  const readers = declared.map(cellReader)
  return {
    columns: [nameColumn, ...declared.map(columnOf)],
    cells: (object) => [object.metadata.name, ...readers.map((read) => read(object))],
  }
}

function columnOf(declared: unknown): TableColumn {
  const priority = isObject(declared) && typeof declared.priority === 'number' ? declared.priority : 0
  const type = textAt(declared, 'type') ?? 'string'
  const description =
    textAt(declared, 'description') ??
    `Custom resource definition column (in JSONPath format): ${textAt(declared, 'jsonPath')}`
  return { name: textAt(declared, 'name') ?? '', type, format: textAt(declared, 'format') ?? '', description, priority }
}

function cellReader(declared: unknown): (object: ApiObject) => unknown {
  const path = parseJsonPath(textAt(declared, 'jsonPath') ?? '')
  const type = textAt(declared, 'type')
  return (object) => {
    const [value] = path(object)
    if (value === undefined || value === null) return null
    if (type === 'date') return sinceText(value)
    if (type === 'string') return typeof value === 'object' ? JSON.stringify(value) : String(value)
    return value
  }
}

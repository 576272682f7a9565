import { stringify } from 'yaml'
import type { KubeObject, ResourceType } from '../kube/resources/meta.ts'
import { findCalicoTable, type TableFacts } from './calico-tables.ts'
import { exported } from './exported.ts'
import { type CliIo, print, UsageError } from './io.ts'
import { parseJsonPath, parseTemplate, showValues } from './json-path.ts'
import { shownKind } from './kinds.ts'
import { renderTable } from './text-table.ts'

/** How to show objects: a table of the server's, or text made of the whole objects. */
export type OutputFormat =
  | { readonly form: 'table'; readonly isWide: boolean }
  | { readonly form: 'text'; readonly render: (list: ObjectList) => string }

export interface ObjectList {
  readonly objects: readonly { readonly type: ResourceType; readonly object: KubeObject }[]
  /** One object was asked for by name: it is shown as itself, not as a list of one. */
  readonly isSingle: boolean
  /** What columns of Calico's kinds need beside the object. */
  readonly facts?: TableFacts
}

export const outputHelp = 'wide, yaml, json, name, custom-columns=HEADING:.path,… or jsonpath={.path}'

const goTemplates = ['go-template', 'go-template-file', 'template', 'templatefile']

/** Reads the value of -o. Throws UsageError. */
export function parseOutputFormat(text: string | undefined): OutputFormat {
  const [form = '', argument] = splitOnce(text ?? '', '=')
  switch (form) {
    case '':
    case 'ps':
      return { form: 'table', isWide: false }
    case 'wide':
      return { form: 'table', isWide: true }
    case 'yaml':
      return asText((list) => renderYaml(listValue(list)))
    case 'json':
      return asText((list) => JSON.stringify(listValue(list), undefined, 4))
    case 'name':
      return asText(renderNames)
    case 'jsonpath': {
      const template = parseTemplate(required(form, argument))
      return asText((list) => template(listValue(list)))
    }
    case 'custom-columns':
      return asText(parseCustomColumns(required(form, argument)))
    default:
      if (goTemplates.includes(form)) throw noGoTemplate(form)
      throw new UsageError(`-o ${text}: no such output`, { fix: `use ${outputHelp}` })
  }
}

export function printText(io: CliIo, format: OutputFormat & { form: 'text' }, list: ObjectList): void {
  const text = format.render(list)
  if (text !== '') print(io, text)
}

/** The same objects without what only their cluster knows. */
export function exportList(list: ObjectList): ObjectList {
  return { ...list, objects: list.objects.map(({ type, object }) => ({ type, object: exported(object) })) }
}

function noGoTemplate(form: string): UsageError {
  return new UsageError(`-o ${form}: templates of Go are not understood`, {
    fix: "write it as -o jsonpath='{.spec.cidr}' or -o custom-columns=NAME,CIDR:.spec.cidr, or take -o json and a program such as jq",
  })
}

/** YAML as kubectl writes it: keys of objects in order of the alphabet, no line is folded. */
export function renderYaml(value: unknown): string {
  return stringify(withoutManagedFields(value), {
    sortMapEntries: true,
    version: '1.1',
    lineWidth: 0,
    indentSeq: false,
    aliasDuplicateObjects: false,
  }).trimEnd()
}

/** managedFields are bookkeeping of the API server and as long as the object itself. */
function withoutManagedFields(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, field: unknown) => (key === 'managedFields' ? undefined : field)))
}

function listValue({ objects, isSingle }: ObjectList): unknown {
  const items = objects.map(({ object }) => withoutManagedFields(object))
  return isSingle ? items[0] : { apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } }
}

function renderNames({ objects }: ObjectList): string {
  return objects.map(({ type, object }) => `${shownKind(type)}/${object.metadata.name}`).join('\n')
}

/** `HEADING:.path` as kubectl has it, or the heading of a column of the kind's wide table as calicoctl has it. */
function parseCustomColumns(text: string): (list: ObjectList) => string {
  const columns = text.split(',').map((column) => {
    const [heading = '', path] = splitOnce(column, ':')
    if (heading === '') throw new UsageError(`-o custom-columns: "${column}" has no heading`)
    return path === undefined ? namedColumn(heading) : pathColumn(heading, path)
  })
  const headings = columns.map(({ heading }) => heading)
  return (list) =>
    renderTable(
      headings,
      list.objects.map((each) => columns.map(({ cell }) => cell(each, list.facts))),
    )
}

interface CustomColumn {
  readonly heading: string
  readonly cell: (each: ObjectList['objects'][number], facts: TableFacts | undefined) => string | undefined
}

function pathColumn(heading: string, path: string): CustomColumn {
  const look = parseJsonPath(path)
  return { heading, cell: ({ object }) => showValues(look(object)) || undefined }
}

function namedColumn(heading: string): CustomColumn {
  return {
    heading: heading.toUpperCase(),
    cell({ type, object }, facts = {}) {
      const table = findCalicoTable(type)
      const cell = table?.cell(object, heading, facts)
      if (cell !== undefined) return cell
      const known = table === undefined ? '' : `; ${type.plural} have the columns ${table.headings(true).join(', ')}`
      throw new UsageError(`-o custom-columns: "${heading}" is no column of ${type.plural}`, {
        fix: `write ${heading}:.path.to.the.field${known}`,
      })
    },
  }
}

function asText(render: (list: ObjectList) => string): OutputFormat {
  return { form: 'text', render }
}

function required(form: string, argument: string | undefined): string {
  if (argument === undefined || argument === '')
    throw new UsageError(`-o ${form}= needs a value`, { fix: `use ${outputHelp}` })
  return argument
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

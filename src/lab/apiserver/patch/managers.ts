import { isObject, type JsonObject, textAt } from '../json.ts'
import { emptyTree, type FieldTree, isEmptyTree, parseFields, renderFields } from './fields/field-tree.ts'

/** One writer of an object and the fields that it owns: an entry of `metadata.managedFields`. */
export interface Manager {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string | undefined
  readonly time: string | undefined
  readonly fields: FieldTree
}

/** By identity: name, operation, version and subresource. */
export type Managers = Map<string, Manager>

export function keyOfManager(manager: Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>): string {
  return [manager.operation, manager.name, manager.apiVersion, manager.subresource ?? ''].join('\n')
}

/** Reads `metadata.managedFields`; entries that make no sense are left out. */
export function parseManagers(entries: unknown): Managers {
  const managers: Managers = new Map()
  for (const entry of Array.isArray(entries) ? entries.filter(isObject) : []) {
    const manager = parseManager(entry)
    if (manager !== undefined) managers.set(keyOfManager(manager), manager)
  }
  return managers
}

function parseManager(entry: JsonObject): Manager | undefined {
  const operation = textAt(entry, 'operation')
  if (operation !== 'Apply' && operation !== 'Update') return undefined
  return {
    name: textAt(entry, 'manager') ?? '',
    operation,
    apiVersion: textAt(entry, 'apiVersion') ?? '',
    subresource: textAt(entry, 'subresource'),
    time: textAt(entry, 'time'),
    fields: parseFields(entry.fieldsV1),
  }
}

/** Writes `metadata.managedFields`: appliers first, then by time; managers that own nothing are left out. */
export function renderManagers(managers: Managers): object[] {
  const list = [...managers.values()].filter(({ fields }) => !isEmptyTree(fields))
  list.sort(
    (a, b) =>
      compareText(a.operation, b.operation) || compareText(a.time ?? '', b.time ?? '') || compareText(a.name, b.name),
  )
  return list.map(({ name, operation, apiVersion, subresource, time, fields }) => ({
    apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: renderFields(fields),
    manager: name,
    operation,
    ...(subresource === undefined ? {} : { subresource }),
    ...(time === undefined ? {} : { time }),
  }))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const untracked: Record<string, readonly string[]> = {
  '': ['f:apiVersion', 'f:kind'],
  'f:metadata': [
    'f:name',
    'f:namespace',
    'f:creationTimestamp',
    'f:deletionGracePeriodSeconds',
    'f:deletionTimestamp',
    'f:generation',
    'f:managedFields',
    'f:resourceVersion',
    'f:selfLink',
    'f:uid',
  ],
}

/** Without what nobody owns, and without what this way of writing cannot change: the status, or everything but it. */
export function ownable(tree: FieldTree, scope: { hasStatus: boolean; subresource: string | undefined }): FieldTree {
  const result = emptyTree()
  for (const [element, child] of tree.children) {
    if (untracked['']?.includes(element) === true || !isInScope(element, scope)) continue
    result.children.set(element, element === 'f:metadata' ? ownableMetadata(child) : child)
  }
  return result
}

function isInScope(
  element: string,
  { hasStatus, subresource }: { hasStatus: boolean; subresource: string | undefined },
): boolean {
  if (subresource === 'status') return element === 'f:status' || element === 'f:metadata'
  return !hasStatus || element !== 'f:status'
}

function ownableMetadata(tree: FieldTree): FieldTree {
  const children = [...tree.children].filter(([element]) => untracked['f:metadata']?.includes(element) !== true)
  return { isMember: false, children: new Map(children) }
}

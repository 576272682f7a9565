import type { ResourceRequest } from '../api.ts'
import type { JsonObject } from '../json.ts'
import { type ApiObject, timestamp } from '../object.ts'
import { groupVersionOf } from '../resources/resource.ts'
import type { Typed } from '../schema/schema.ts'
import { type Cause, StatusError } from '../status.ts'
import { compare } from './fields/compare.ts'
import { fieldSetOf } from './fields/field-set.ts'
import {
  difference,
  type FieldTree,
  intersection,
  isEmptyTree,
  isSameTree,
  pathsOf,
  union,
} from './fields/field-tree.ts'
import { mergeTyped } from './fields/merge-typed.ts'
import { pruneDropped } from './fields/prune.ts'
import { keyOfManager, type Manager, type Managers, ownable, parseManagers, renderManagers } from './managers.ts'

export interface Applied {
  /** The object as it is to be stored, without its new managedFields. */
  readonly object: JsonObject
  readonly managedFields: object[]
}

export interface ApplyOptions {
  readonly fieldManager: string
  /** Takes fields over from their owners instead of refusing. */
  readonly force: boolean
}

/**
 * Server-side apply: the live object gets everything that the configuration says and loses what this manager said last
 * time and says no more. Throws 409 with one cause a field when another manager owns a field that would change.
 */
export function applyConfiguration(
  request: ResourceRequest,
  live: ApiObject | undefined,
  config: JsonObject,
  options: ApplyOptions,
): Applied {
  const { resource, subresource } = request
  const typed = resource.schema()
  const scope = { hasStatus: resource.hasStatus, subresource }
  const managers = parseManagers(live?.metadata.managedFields)
  const identity = {
    name: options.fieldManager,
    operation: 'Apply' as const,
    apiVersion: groupVersionOf(resource),
    subresource,
  }
  const last = managers.get(keyOfManager(identity))
  const fields = ownable(fieldSetOf(config, typed), scope)
  managers.set(keyOfManager(identity), { ...identity, fields, time: last?.time })

  const object = buildObject(live, config, typed, { last: last?.fields, managers })
  const change = compare(live ?? {}, object, typed)
  const changed = ownable(union(change.added, change.modified), scope)
  const removed = ownable(change.removed, scope)
  const others = settleOthers(managers, keyOfManager(identity), { changed, removed, force: options.force })
  const isSame = last !== undefined && isSameTree(last.fields, fields) && isEmptyTree(union(changed, removed))
  others.set(keyOfManager(identity), { ...identity, fields, time: isSame ? last?.time : timestamp() })
  return { object, managedFields: renderManagers(others) }
}

function buildObject(
  live: ApiObject | undefined,
  config: JsonObject,
  typed: Typed,
  { last, managers }: { last: FieldTree | undefined; managers: Managers },
): JsonObject {
  const merged = mergeTyped(live ?? {}, config, typed)
  if (last === undefined) return merged as JsonObject
  const owned = union(...[...managers.values()].map((manager) => manager.fields))
  return pruneDropped(merged, typed, last, owned) as JsonObject
}

/** The other managers after this change: they lose what is removed and, by force, what changes. Throws 409 otherwise. */
function settleOthers(
  managers: Managers,
  own: string,
  { changed, removed, force }: { changed: FieldTree; removed: FieldTree; force: boolean },
): Managers {
  const result: Managers = new Map()
  const conflicts: { manager: Manager; fields: FieldTree }[] = []
  for (const [key, manager] of managers) {
    if (key === own) continue
    const contested = intersection(manager.fields, changed)
    if (!isEmptyTree(contested)) conflicts.push({ manager, fields: contested })
    result.set(key, { ...manager, fields: difference(manager.fields, union(removed, contested)) })
  }
  if (conflicts.length > 0 && !force) throw conflictError(conflicts)
  return result
}

function conflictError(conflicts: readonly { manager: Manager; fields: FieldTree }[]): StatusError {
  const causes: Cause[] = conflicts.flatMap(({ manager, fields }) =>
    pathsOf(fields).map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${describe(manager)}`,
      field,
    })),
  )
  const [first] = causes
  const head = `Apply failed with ${causes.length} conflict${causes.length === 1 ? '' : 's'}: `
  const text =
    causes.length === 1 && first !== undefined ? `${first.message}: ${first.field}` : conflicts.map(listOf).join('\n')
  return new StatusError(409, 'Conflict', head + text, { causes })
}

function listOf({ manager, fields }: { manager: Manager; fields: FieldTree }): string {
  return `conflicts with ${describe(manager)}:\n${pathsOf(fields)
    .map((path) => `- ${path}`)
    .join('\n')}`
}

function describe({ name, subresource, apiVersion }: Manager): string {
  const where = subresource === undefined ? '' : ` with subresource "${subresource}"`
  return `"${name}"${where} using ${apiVersion}`
}

import type { ResourceRequest } from '../api.ts'
import { isEqual } from '../json.ts'
import { type ApiObject, timestamp } from '../object.ts'
import { groupVersionOf } from '../resources/resource.ts'
import type { TrackFields } from '../verbs/write.ts'
import { compare } from './fields/compare.ts'
import { difference, emptyTree, type FieldTree, isEmptyTree, union } from './fields/field-tree.ts'
import { keyOfManager, type Managers, ownable, parseManagers, renderManagers } from './managers.ts'

/** Records what an ordinary write changes as owned by its field manager, and by nobody else any more. */
export function trackUpdate(request: ResourceRequest, { fieldManager }: { fieldManager: string }): TrackFields {
  const { resource, subresource } = request
  const scope = { hasStatus: resource.hasStatus, subresource }
  return (before, after) => {
    const comparison = compare(before ?? {}, after, resource.schema())
    const changed = ownable(union(comparison.added, comparison.modified), scope)
    const removed = ownable(comparison.removed, scope)
    const managers = withoutFields(managersToKeep(before, after), union(changed, removed))
    const own = {
      name: fieldManager,
      operation: 'Update' as const,
      apiVersion: groupVersionOf(resource),
      subresource,
    }
    addFields(managers, own, changed)
    return renderManagers(managers)
  }
}

type Identity = Parameters<typeof keyOfManager>[0]

function addFields(managers: Managers, own: Identity, changed: FieldTree): void {
  const known = managers.get(keyOfManager(own))
  if (known === undefined && isEmptyTree(changed)) return
  const fields = union(known?.fields ?? emptyTree(), changed)
  const time = known === undefined || !isEmptyTree(changed) ? timestamp() : known.time
  managers.set(keyOfManager(own), { ...own, time, fields })
}

/** Every manager without these fields. */
export function withoutFields(managers: Managers, lost: FieldTree): Managers {
  return new Map([...managers].map(([key, manager]) => [key, { ...manager, fields: difference(manager.fields, lost) }]))
}

/**
 * A client may write managedFields itself, as kubectl does when it takes objects over to server-side apply; an empty
 * list, or one empty entry, resets them.
 */
function managersToKeep(before: ApiObject | undefined, after: ApiObject): Managers {
  const given = after.metadata.managedFields
  if (given === undefined) return parseManagers(before?.metadata.managedFields)
  const isReset = given.length === 0 || (given.length === 1 && isEqual(given[0], {}))
  return isReset ? new Map() : parseManagers(given)
}

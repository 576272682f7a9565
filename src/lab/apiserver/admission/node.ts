import { isEqual, isObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, forbiddenField, notSupported, required } from '../status.ts'
import type { Rules } from './rules.ts'

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

export const nodeRules: Rules = {
  setDefaults(object) {
    object.spec = isObject(object.spec) ? object.spec : {}
    const { capacity, allocatable } = objectAt(object, 'status')
    if (isObject(capacity) && allocatable === undefined) objectAt(object, 'status').allocatable = { ...capacity }
  },
  /** Unlike other kinds a node may bring its status when it registers. */
  prepareCreate(object) {
    object.status = isObject(object.status) ? object.status : {}
  },
  validate: (object, before) => [...checkTaints(object), ...checkOnce(object, before)],
}

function checkTaints(object: ApiObject): Cause[] {
  return listAt(object, 'spec', 'taints').flatMap((taint, index) => {
    const field = `spec.taints[${index}]`
    const effect = textAt(taint, 'effect')
    return [
      ...((textAt(taint, 'key') ?? '') === '' ? [required(`${field}.key`)] : []),
      ...(taintEffects.includes(effect ?? '') ? [] : [notSupported(`${field}.effect`, effect ?? '', taintEffects)]),
    ]
  })
}

/** Once set, these stay. */
function checkOnce(object: ApiObject, before: ApiObject | undefined): Cause[] {
  return ['podCIDR', 'podCIDRs', 'providerID'].flatMap((name) => {
    const old = objectAt(before, 'spec')[name]
    if (old === undefined || old === '' || isEqual(old, objectAt(object, 'spec')[name])) return []
    return [forbiddenField(`spec.${name}`, 'node updates may only change this field from empty to a value')]
  })
}

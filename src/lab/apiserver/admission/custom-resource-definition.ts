import { isObject, listAt, objectAt, textAt } from '../json.ts'
import { type ApiObject, timestamp } from '../object.ts'
import { objectSchemaOf } from '../schema/structural.ts'
import { findSchemaFault } from '../schema/validator.ts'
import { type Cause, invalidValue, notSupported, required } from '../status.ts'
import type { Rules } from './rules.ts'

const collection = 'apiextensions.k8s.io/customresourcedefinitions'
/** Keeps a definition until its objects are gone. */
export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io'

export const customResourceDefinitionRules: Rules = {
  setDefaults(object) {
    const names = objectAt(object, 'spec', 'names')
    const kind = textAt(names, 'kind') ?? ''
    names.singular ??= kind.toLowerCase()
    names.listKind ??= `${kind}List`
    const spec = objectAt(object, 'spec')
    spec.conversion ??= { strategy: 'None' }
  },
  prepareCreate(object, context) {
    object.metadata.finalizers = [cleanupFinalizer]
    setNamesStatus(
      object,
      context.store.list(collection).map((stored) => stored.object),
    )
  },
  prepareUpdate(object, before, context) {
    const others = context.store.list(collection).filter((stored) => stored.object.metadata.uid !== before.metadata.uid)
    setNamesStatus(
      object,
      others.map((stored) => stored.object),
    )
  },
  validate: (object, before) => [
    ...checkNames(object),
    ...checkVersions(object),
    ...(before === undefined ? [] : checkUnchanged(object, before)),
  ],
}

/** Accepts the names at once, or says which other definition of the group already has one of them. */
function setNamesStatus(object: ApiObject, others: readonly ApiObject[]): void {
  const group = textAt(object, 'spec', 'group')
  const taken = others
    .filter((other) => textAt(other, 'spec', 'group') === group)
    .flatMap((other) => allNames(other))
    .find((name) => allNames(object).includes(name))
  const isFree = taken === undefined
  const problem = isFree ? 'no conflicts found' : `"${taken}" is already in use`
  const versions = listAt(object, 'spec', 'versions').filter((version) => isObject(version) && version.storage === true)
  const stored = listAt(object, 'status', 'storedVersions')
  object.status = {
    ...objectAt(object, 'status'),
    conditions: [
      condition(object, 'NamesAccepted', isFree, isFree ? 'NoConflicts' : 'NameConflict', problem),
      condition(
        object,
        'Established',
        isFree,
        isFree ? 'InitialNamesAccepted' : 'NotAccepted',
        isFree ? 'the initial names have been accepted' : 'not all names are accepted',
      ),
    ],
    acceptedNames: isFree ? objectAt(object, 'spec', 'names') : { kind: '', plural: '' },
    storedVersions: [...new Set([...stored, ...versions.map((version) => textAt(version, 'name'))])],
  }
}

function allNames(crd: ApiObject): string[] {
  const names = objectAt(crd, 'spec', 'names')
  const words = [names.plural, names.singular, names.kind, names.listKind, ...listAt(names, 'shortNames')]
  return words.filter((word) => typeof word === 'string')
}

function condition(object: ApiObject, type: string, isTrue: boolean, reason: string, message: string): object {
  const status = isTrue ? 'True' : 'False'
  const old = listAt(object, 'status', 'conditions').find((one) => textAt(one, 'type') === type)
  const lastTransitionTime = textAt(old, 'status') === status ? textAt(old, 'lastTransitionTime') : undefined
  return { type, status, lastTransitionTime: lastTransitionTime ?? timestamp(), reason, message }
}

function checkNames(object: ApiObject): Cause[] {
  const group = textAt(object, 'spec', 'group') ?? ''
  const plural = textAt(object, 'spec', 'names', 'plural') ?? ''
  const scope = textAt(object, 'spec', 'scope') ?? ''
  const causes: Cause[] = []
  if (group === '') causes.push(required('spec.group'))
  else if (!group.includes('.'))
    causes.push(invalidValue('spec.group', group, 'should be a domain with at least one dot'))
  if (plural === '') causes.push(required('spec.names.plural'))
  if ((textAt(object, 'spec', 'names', 'kind') ?? '') === '') causes.push(required('spec.names.kind'))
  if (!['Cluster', 'Namespaced'].includes(scope))
    causes.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']))
  if (object.metadata.name !== `${plural}.${group}`) {
    causes.push(invalidValue('metadata.name', object.metadata.name, "must be spec.names.plural+'.'+spec.group"))
  }
  return causes
}

function checkVersions(object: ApiObject): Cause[] {
  const versions = listAt(object, 'spec', 'versions').filter(isObject)
  const stored = versions.filter((version) => version.storage === true)
  return [
    ...(stored.length === 1
      ? []
      : [invalidValue('spec.versions', stored.length, 'must have exactly one version marked as storage version')]),
    ...versions.flatMap((version, index) => checkVersion(version, `spec.versions[${index}]`)),
  ]
}

function checkVersion(version: Record<string, unknown>, field: string): Cause[] {
  const schema = objectAt(version, 'schema').openAPIV3Schema
  if (!isObject(schema)) return [required(`${field}.schema.openAPIV3Schema`, 'schemas are required')]
  if (schema.type !== 'object') {
    return [invalidValue(`${field}.schema.openAPIV3Schema.type`, schema.type ?? '', 'must be object at the root')]
  }
  const fault = findSchemaFault(objectSchemaOf(version, { group: '', version: '', kind: '' }).schema)
  return fault === undefined ? [] : [invalidValue(`${field}.schema.openAPIV3Schema`, 'schema', fault)]
}

function checkUnchanged(object: ApiObject, before: ApiObject): Cause[] {
  const paths = [
    ['spec', 'group'],
    ['spec', 'scope'],
    ['spec', 'names', 'kind'],
    ['spec', 'names', 'plural'],
  ]
  return paths
    .filter((path) => textAt(object, ...path) !== textAt(before, ...path))
    .map((path) => invalidValue(path.join('.'), textAt(object, ...path), 'field is immutable'))
}

import { at, isEqual, isObject, listAt, setKey, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { type Cause, forbiddenField, invalidValue, notSupported, required } from '../status.ts'
import type { Rules } from './rules.ts'

export const configMapRules: Rules = {
  validate: (object, before) => [
    ...listKeys(object, 'data').flatMap((key) => checkDataKey(`data[${key}]`, key)),
    ...listKeys(object, 'binaryData').flatMap((key) => checkDataKey(`binaryData[${key}]`, key)),
    ...checkImmutable(object, before),
  ],
}

export const secretRules: Rules = {
  setDefaults(object) {
    object.type ??= 'Opaque'
    if (!isObject(object.stringData)) return
    const data = isObject(object.data) ? object.data : {}
    for (const [key, value] of Object.entries(object.stringData)) {
      setKey(data, key, Buffer.from(String(value)).toString('base64'))
    }
    object.data = data
    delete object.stringData
  },
  validate: (object, before) => [
    ...listKeys(object, 'data').flatMap((key) => checkDataKey(`data[${key}]`, key)),
    ...checkImmutable(object, before),
    ...(before !== undefined && before.type !== object.type
      ? [invalidValue('type', object.type, 'field is immutable')]
      : []),
  ],
}

export const eventRules: Rules = {
  validate(object) {
    const about = textAt(object, 'involvedObject', 'namespace') ?? 'default'
    if (about === object.metadata.namespace) return []
    return [invalidValue('involvedObject.namespace', about, 'does not match event.namespace')]
  },
}

export const leaseRules: Rules = {
  validate: (object) => {
    const seconds = at(object, 'spec', 'leaseDurationSeconds')
    return typeof seconds === 'number' && seconds <= 0
      ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
      : []
  },
}

const addressTypes = ['IPv4', 'IPv6', 'FQDN']

export const endpointSliceRules: Rules = {
  setDefaults(object) {
    for (const port of listAt(object, 'ports').filter(isObject)) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  validate(object, before): Cause[] {
    const type = object.addressType
    if (type === undefined || type === '') return [required('addressType')]
    if (!addressTypes.includes(String(type))) return [notSupported('addressType', type, addressTypes)]
    if (before !== undefined && before.addressType !== type) {
      return [invalidValue('addressType', type, 'field is immutable')]
    }
    return listAt(object, 'endpoints').flatMap((endpoint, index) =>
      listAt(endpoint, 'addresses').length === 0 ? [required(`endpoints[${index}].addresses`)] : [],
    )
  },
}

function listKeys(object: ApiObject, field: string): string[] {
  return Object.keys(isObject(object[field]) ? object[field] : {})
}

function checkDataKey(field: string, key: string): Cause[] {
  if (/^[-._a-zA-Z0-9]+$/.test(key) && key.length <= 253) return []
  return [
    invalidValue(
      field,
      key,
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    ),
  ]
}

function checkImmutable(object: ApiObject, before: ApiObject | undefined): Cause[] {
  if (before?.immutable !== true) return []
  return ['data', 'binaryData', 'immutable']
    .filter((field) => !isEqual(object[field], before[field]))
    .map((field) => forbiddenField(field, 'field is immutable when `immutable` is set'))
}

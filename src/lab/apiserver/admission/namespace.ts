import { isObject } from '../json.ts'
import type { Rules } from './rules.ts'

export const namespaceRules: Rules = {
  nameFormat: 'label',
  setDefaults(object) {
    object.spec = { finalizers: ['kubernetes'], ...(isObject(object.spec) ? object.spec : {}) }
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name }
  },
  prepareCreate(object) {
    object.status = { phase: 'Active' }
  },
}

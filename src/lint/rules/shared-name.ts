import { isDeepStrictEqual } from 'node:util'
import type { NetworkConfigList } from '../../cni/request.ts'
import { findConfigFacts, findConfigList } from '../definition-config.ts'
import type { Rule } from '../rule.ts'
import { configField } from './config-syntax.ts'
import { positionOfField } from './config-values.ts'

/** Two definitions with one network name: plugins keep addresses and interfaces by that name, so they would share them. */
export const sharedName: Rule = (subject, context) => {
  const list = findConfigList(subject)
  if (list === undefined) return []
  const { name, namespace } = subject.object.metadata
  const other = context.definitions.find((definition) => {
    const { metadata, spec } = definition
    if (metadata.name === name && (metadata.namespace ?? 'default') === namespace) return false
    const found = findConfigList({ object: { metadata, spec: { ...spec } } })
    return found?.name === list.name && !isDeepStrictEqual(identityOf(found), identityOf(list))
  })
  if (other === undefined) return []
  return [
    {
      rule: 'shared-name',
      severity: 'warning',
      message: `network name "${list.name}" is also that of ${other.metadata.namespace ?? 'default'}/${other.metadata.name}, whose configuration differs: plugins keep addresses by that name`,
      fix: 'Give each network a "name" of its own.',
      field: configField,
      position: positionOfField(subject, 'name'),
    },
  ]
}

/** Networks that several definitions may be of say what these must agree in. */
function identityOf(list: NetworkConfigList): unknown {
  return findConfigFacts(list)?.identity ?? list
}

import { findConfigFacts, findConfigList } from '../definition-config.ts'
import type { Rule } from '../rule.ts'
import { configField } from './config-syntax.ts'
import { positionOfField } from './config-values.ts'

/** A configuration that names the definition which holds it, and names another. */
export const configPlace: Rule = (subject) => {
  const list = findConfigList(subject)
  const claimed = list === undefined ? undefined : findConfigFacts(list)?.definition
  const { namespace, name } = subject.object.metadata
  const own = `${namespace}/${name}`
  if (claimed === undefined || claimed === own) return []
  return [
    {
      rule: 'config-place',
      severity: 'error',
      message: `the configuration says that it is that of ${claimed}, but it is in ${own}: no pod can use it`,
      fix: `Write "netAttachDefName": "${own}".`,
      field: configField,
      position: positionOfField(subject, 'plugins[0].netAttachDefName'),
    },
  ]
}

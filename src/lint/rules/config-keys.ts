import { closest } from '../../base/closest.ts'
import { findDriver } from '../../networks/registry.ts'
import { findConfigList } from '../definition-config.ts'
import type { Rule } from '../rule.ts'
import { configField } from './config-syntax.ts'
import { positionOfField } from './config-values.ts'

/** Keys of every plugin configuration (CNI specification 1.1, section 1, "Plugin configuration objects"). */
const specificationKeys = [
  'cniVersion',
  'name',
  'type',
  'capabilities',
  'args',
  'ipMasq',
  'ipam',
  'dns',
  'runtimeConfig',
]
const listKeys = ['cniVersions', 'disableCheck', 'disableGC', 'loadOnlyInlinedPlugins', 'plugins']

/** Keys that a network of ours does not know: it ignores them. */
export const configKeys: Rule = (subject) =>
  (findConfigList(subject)?.plugins ?? []).flatMap((plugin, index) => {
    const own = findDriver(plugin.type).capabilities.configKeys
    if (own === undefined) return []
    const known = [...specificationKeys, ...own, ...listKeys]
    return Object.keys(plugin)
      .filter((key) => !known.includes(key))
      .map((key) => {
        const near = closest(key, known)
        return {
          rule: 'unknown-config-key',
          severity: 'warning' as const,
          message: `unknown key "${key}" in a configuration of type "${plugin.type}"; it is ignored`,
          fix: near === undefined ? 'Remove it.' : `Did you mean "${near}"?`,
          field: configField,
          position: positionOfField(subject, `plugins[${index}].${key}`),
        }
      })
  })

import { parseConfigList } from '../cni/config.ts'
import type { NetworkConfigList } from '../cni/request.ts'
import { type CommentedJson, parseCommentedJson } from '../kube/resources/commented-json.ts'
import type { ConfigFacts } from '../networks/driver.ts'
import { findDriver } from '../networks/registry.ts'
import type { Subject } from './subject.ts'

/** Text of a definition's `spec.config`; undefined when it has none. */
export function configTextOf({ object }: Pick<Subject, 'object'>): string | undefined {
  const text = object.spec?.config
  return typeof text === 'string' && text.trim() !== '' ? text : undefined
}

/** The text as JSON with positions, or undefined when it is none. */
export function findConfigJson(subject: Subject): CommentedJson | undefined {
  return attempt(() => parseCommentedJson(configTextOf(subject) ?? ''))
}

/** The configuration, or undefined when there is none or it is refused. */
export function findConfigList({ object }: Pick<Subject, 'object'>): NetworkConfigList | undefined {
  const text = configTextOf({ object })
  return text === undefined
    ? undefined
    : attempt(() => parseConfigList(text, { defaultName: object.metadata.name ?? '' }))
}

/** What the network of a configuration tells of it; undefined when it tells nothing or refuses it. */
export function findConfigFacts(list: NetworkConfigList): ConfigFacts | undefined {
  const driver = findDriver(list.plugins[0]?.type ?? '')
  return attempt(() => driver.describeConfig?.(driver.parseConfig(list)))
}

function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}

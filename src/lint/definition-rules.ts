import { closest } from '../base/closest.ts'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { parseConfigList } from '../cni/config.ts'
import type { NetworkConfigList } from '../cni/request.ts'
import { CommentedJsonError, parseCommentedJson } from '../kube/resources/commented-json.ts'
import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import { knownPlugins, type LintFacts } from './facts.ts'
import type { Problem } from './finding.ts'

const field = ['spec', 'config']

/** Rules on one NetworkAttachmentDefinition. */
export const definitionRules: Readonly<
  Record<string, (definition: NetworkAttachmentDefinition, facts: LintFacts) => Problem[]>
> = {
  'config-missing': ({ metadata, spec }) =>
    isBlank(spec?.config)
      ? [
          {
            severity: 'warning',
            message: `has no spec.config: every node needs a file with a network named "${metadata.name}"`,
            fix: 'Put the CNI configuration into spec.config.',
            field: ['spec'],
          },
        ]
      : [],
  'config-syntax': (definition) => syntaxProblems(definition),
  'plugin-type': (definition, facts) => typeProblems(definition, facts),
  'plugin-field': (definition, facts) => fieldProblems(definition, facts),
  'shared-name': (definition, facts) => sharedNames(definition, facts),
}

/** The configuration, or undefined when there is none that can be read; other rules say so. */
export function findConfig({ metadata, spec }: NetworkAttachmentDefinition): NetworkConfigList | undefined {
  if (isBlank(spec?.config)) return undefined
  try {
    return parseConfigList(spec?.config ?? '', { defaultName: metadata.name })
  } catch {
    return undefined
  }
}

function syntaxProblems({ metadata, spec }: NetworkAttachmentDefinition): Problem[] {
  const text = spec?.config ?? ''
  if (isBlank(text)) return []
  try {
    parseConfigList(text, { defaultName: metadata.name })
    return []
  } catch (error) {
    return [jsonProblem(text) ?? problem(error)]
  }
}

/** JSON.parse says neither line nor column on every version of Node.js. */
function jsonProblem(text: string): Problem | undefined {
  try {
    const { comments } = parseCommentedJson(text)
    const [first] = comments
    if (first === undefined) return undefined
    const message = `spec.config has a "${first.marker}" comment; CNI configurations are JSON, which has none`
    return { severity: 'error', message, fix: 'Remove the comment.', field, at: first }
  } catch (error) {
    if (!(error instanceof CommentedJsonError)) throw error
    const message = `spec.config is not JSON: ${error.message}`
    return { severity: 'error', message, fix: error.fix, field, at: error.position }
  }
}

function typeProblems(definition: NetworkAttachmentDefinition, { drivers }: LintFacts): Problem[] {
  const types = [...drivers.flatMap((driver) => driver.types), ...knownPlugins]
  return (findConfig(definition)?.plugins ?? []).flatMap(({ type }): Problem[] => {
    if (types.includes(type)) return []
    const meant = closest(type, types)
    if (meant === undefined) return []
    const message = `the CNI type "${type}" is not a plugin that is known here; is "${meant}" meant?`
    return [{ severity: 'warning', message, fix: `Write "${meant}", or leave it if there is such a plugin.`, field }]
  })
}

function fieldProblems(definition: NetworkAttachmentDefinition, facts: LintFacts): Problem[] {
  const list = findConfig(definition)
  if (list === undefined) return []
  try {
    facts.findDriver(list.plugins[0]?.type ?? '').parseConfig(list)
    return []
  } catch (error) {
    return [problem(error)]
  }
}

/** Plugins keep addresses by the name of the network: two networks of one name give out each other's. */
function sharedNames(definition: NetworkAttachmentDefinition, { definitions }: LintFacts): Problem[] {
  const list = findConfig(definition)
  if (list === undefined) return []
  const others = definitions.filter((other) => {
    const config = findConfig(other)
    return nameOf(other) !== nameOf(definition) && config?.name === list.name && !isEqual(config, list)
  })
  return others.map((other) => ({
    severity: 'warning',
    message: `has the network name "${list.name}", which ${nameOf(other)} has too with another configuration: plugins would share its addresses`,
    fix: 'Give each its own "name" in spec.config.',
    field,
  }))
}

function nameOf({ metadata }: NetworkAttachmentDefinition): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}

function isEqual(a: NetworkConfigList, b: NetworkConfigList): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function problem(error: unknown): Problem {
  const fix = error instanceof TwinlaneError ? error.fix : undefined
  return { severity: 'error', message: `spec.config: ${describeError(error)}`, fix, field }
}

function isBlank(text: string | undefined): boolean {
  return (text ?? '').trim() === ''
}

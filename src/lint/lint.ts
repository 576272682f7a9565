import type { KubeObject } from '../kube/resources/meta.ts'
import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import { buildContext, type LintContext, type LintOptions } from './context.ts'
import type { Finding } from './finding.ts'
import { ruleSets } from './rule-sets.ts'

/** A finding, and which of the objects it is about. */
export interface ObjectFinding extends Finding {
  readonly index: number
}

/** Everything that is wrong with these objects. Kinds without rules are left alone. */
export function lint(objects: readonly KubeObject[], options: LintOptions = {}): ObjectFinding[] {
  const own = objects.filter(isDefinition)
  const others = (options.definitions ?? []).filter((one) => !own.some((mine) => isSameObject(mine, one)))
  const context = buildContext({ ...options, definitions: [...own, ...others] })
  return objects.flatMap((object, index) => lintObject(object, context).map((finding) => ({ ...finding, index })))
}

function lintObject(object: KubeObject, context: LintContext): readonly Finding[] {
  const ruleSet = ruleSets.find(({ kinds }) => kinds.includes(object.kind ?? ''))
  const subject = ruleSet?.subjectOf(object)
  if (ruleSet === undefined || subject === undefined) return []
  const findings = ruleSet.rules.flatMap((rule) => rule(subject, context))
  return findings.some(({ severity }) => severity === 'error')
    ? findings
    : [...findings, ...ruleSet.lastRule(subject, context)]
}

function isDefinition(object: KubeObject): object is NetworkAttachmentDefinition {
  return object.kind === 'NetworkAttachmentDefinition'
}

function isSameObject(a: KubeObject, b: KubeObject): boolean {
  const key = ({ metadata }: KubeObject): string => `${metadata.namespace ?? 'default'}/${metadata.name}`
  return key(a) === key(b)
}

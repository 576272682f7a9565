import type { KubeObject } from '../kube/resources/meta.ts'
import type { LintContext } from './context.ts'
import type { Finding } from './finding.ts'
import type { Subject } from './subject.ts'

/** Looks for one thing that can be wrong with objects of a kind. Pure. */
export type Rule = (subject: Subject, context: LintContext) => readonly Finding[]

/** The rules of one kind of object, and the parts of such an object that they look at. */
export interface RuleSet {
  readonly kinds: readonly string[]
  readonly subjectOf: (object: KubeObject) => Subject | undefined
  readonly rules: readonly Rule[]
  /** Asked only when the rules found no error: the agent's own judgement. */
  readonly lastRule: Rule
}

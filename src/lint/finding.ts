import type { Position } from '../kube/resources/commented-json.ts'

/** An error keeps a pod from starting; a warning is accepted, but is hardly what was meant. */
export type Severity = 'error' | 'warning'

/** Something wrong with an object. */
export interface Finding {
  /** ID of the rule, e.g. `unknown-network`; docs/reference/lint.md has one line on each. */
  readonly rule: string
  readonly severity: Severity
  readonly message: string
  readonly fix?: string | undefined
  /** Field of the object, e.g. ['spec', 'config']. */
  readonly field: readonly (string | number)[]
  /** Within the text of that field, which may itself be JSON. */
  readonly position?: Position | undefined
}

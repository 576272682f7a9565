import type { Typed } from '../schema/schema.ts'
import { applyDefaults } from '../schema/structural.ts'
import { createValidator } from '../schema/validator.ts'
import type { Rules } from './rules.ts'

/** Custom objects follow the schema of their definition and nothing else. */
export function customRules(typed: Typed): Rules {
  const validate = createValidator(typed.schema)
  return {
    setDefaults: (object) => applyDefaults(object, typed),
    validate: (object) => validate(object),
  }
}

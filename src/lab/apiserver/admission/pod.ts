import type { Rules } from './rules.ts'

export const podRules: Rules = {}

import type { Rules } from './rules.ts'

export const serviceRules: Rules = {}

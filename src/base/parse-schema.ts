import type * as z from 'zod'
import { ConfigError } from './errors.ts'

export interface ParseSchemaOptions {
  /** Path of the whole in what the user wrote, e.g. `networks.ovn`. @default '' */
  where?: string
  /** Name of the whole when it is wrong itself and has no path, e.g. `lab.yaml`. @default configuration */
  whole?: string
  /** What to do about a wrong value. */
  fix?: string
}

/**
 * The value that a zod schema makes of `raw`. Throws ConfigError naming the first wrong field; an unknown field comes
 * before any other, because a misspelt name is also why the right one is missing.
 */
export function parseSchema<T extends z.ZodType>(
  schema: T,
  raw: unknown,
  options: ParseSchemaOptions = {},
): z.infer<T> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  const { issues } = parsed.error
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  throw issue === undefined ? parsed.error : configErrorOf(issue, parsed.error, options)
}

function configErrorOf(issue: z.core.$ZodIssue, cause: z.ZodError, options: ParseSchemaOptions): ConfigError {
  if (issue.code === 'unrecognized_keys') {
    const field = fieldOf([...issue.path, issue.keys[0] ?? ''], options)
    return new ConfigError(field, 'unknown field', { fix: `Remove ${field}, or correct its spelling.`, cause })
  }
  const fix = options.fix === undefined ? {} : { fix: options.fix }
  return new ConfigError(fieldOf(issue.path, options), issue.message, { ...fix, cause })
}

/** `nodes[1].addresses.ens3` */
function fieldOf(path: readonly PropertyKey[], { where = '', whole = 'configuration' }: ParseSchemaOptions): string {
  const text = path.reduce<string>((before, part) => {
    if (typeof part === 'number') return `${before}[${part}]`
    return before === '' ? String(part) : `${before}.${String(part)}`
  }, where)
  return text === '' ? whole : text
}

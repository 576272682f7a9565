import type { Resource } from '../resources/resource.ts'
import { type Cause, invalidValue, required } from '../status.ts'

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'

interface Format {
  pattern: RegExp
  maxLength: number
  rule: string
}

const formats: Record<'subdomain' | 'label' | 'service', Format> = {
  subdomain: {
    pattern: new RegExp(String.raw`^${label}(\.${label})*$`),
    maxLength: 253,
    rule: String.raw`a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${label}(\.${label})*')`,
  },
  label: {
    pattern: new RegExp(`^${label}$`),
    maxLength: 63,
    rule: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${label}')`,
  },
  service: {
    pattern: /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
    maxLength: 63,
    rule: `a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
  },
}

/** Faults of an object's name. */
export function checkName(resource: Resource, name: string): Cause[] {
  return checkText('metadata.name', name, resource.rules.nameFormat ?? 'subdomain')
}

/** Faults of a name in some field. */
export function checkText(field: string, text: string, format: 'subdomain' | 'label' | 'service' | 'path'): Cause[] {
  if (text === '') return [required(field, 'name or generateName is required')]
  if (format === 'path') {
    return /[/%]/.test(text) || text === '.' || text === '..'
      ? [invalidValue(field, text, "may not contain '/' or '%'")]
      : []
  }
  const { pattern, maxLength, rule } = formats[format]
  const causes: Cause[] = []
  if (text.length > maxLength) causes.push(invalidValue(field, text, `must be no more than ${maxLength} characters`))
  if (!pattern.test(text)) causes.push(invalidValue(field, text, rule))
  return causes
}

/** Letters and digits that cannot form words, as the API server uses them for generateName. */
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789'

export function randomSuffix(length = 5): string {
  return Array.from({ length }, () => suffixLetters[Math.floor(Math.random() * suffixLetters.length)]).join('')
}

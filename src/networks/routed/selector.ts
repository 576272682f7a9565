import { TwinlaneError } from '../../base/errors.ts'

/** Text that is no selector. The message says where and what was expected. */
export class SelectorError extends TwinlaneError {}

/** A selector over labels, parsed (as Calico does). */
export type Selector =
  | { readonly kind: 'all' | 'global' }
  | { readonly kind: 'has'; readonly label: string }
  | { readonly kind: Comparison; readonly label: string; readonly value: string }
  | { readonly kind: 'in' | 'not in'; readonly label: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly operand: Selector }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Selector[] }

type Comparison = '==' | '!=' | 'contains' | 'starts with' | 'ends with'

export type Labels = Readonly<Record<string, string>>

/** Parses a selector; blank text is all(). Throws SelectorError. */
export function parseSelector(text: string): Selector {
  const scanner = new Scanner(text)
  if (scanner.isAtEnd()) return { kind: 'all' }
  const selector = parseOr(scanner)
  if (!scanner.isAtEnd()) throw scanner.error('&&, || or the end')
  return selector
}

/**
 * Whether the labels satisfy the selector. An absent label satisfies only the negative comparisons, `!=` and `not in`.
 */
export function matchesSelector(selector: Selector, labels: Labels): boolean {
  switch (selector.kind) {
    case 'all':
    case 'global':
      return true
    case 'not':
      return !matchesSelector(selector.operand, labels)
    case 'and':
      return selector.operands.every((operand) => matchesSelector(operand, labels))
    case 'or':
      return selector.operands.some((operand) => matchesSelector(operand, labels))
    default:
      return matchesLabel(selector, Object.hasOwn(labels, selector.label) ? labels[selector.label] : undefined)
  }
}

/** The canonical text: sets sorted and without repeats, double quotes where possible, compounds in parentheses. */
export function formatSelector(selector: Selector): string {
  switch (selector.kind) {
    case 'all':
    case 'global':
      return `${selector.kind}()`
    case 'has':
      return `has(${selector.label})`
    case 'in':
    case 'not in': {
      const values = [...new Set(selector.values)].sort().map(quote)
      return `${selector.label} ${selector.kind} {${values.join(', ')}}`
    }
    case 'not':
      return `!${formatSelector(selector.operand)}`
    case 'and':
      return `(${selector.operands.map(formatSelector).join(' && ')})`
    case 'or':
      return `(${selector.operands.map(formatSelector).join(' || ')})`
    default:
      return `${selector.label} ${selector.kind} ${quote(selector.value)}`
  }
}

function matchesLabel(
  selector: Exclude<Selector, { kind: 'all' | 'global' | 'not' | 'and' | 'or' }>,
  value: string | undefined,
): boolean {
  switch (selector.kind) {
    case 'has':
      return value !== undefined
    case '==':
      return value === selector.value
    case '!=':
      return value !== selector.value
    case 'contains':
      return value?.includes(selector.value) ?? false
    case 'starts with':
      return value?.startsWith(selector.value) ?? false
    case 'ends with':
      return value?.endsWith(selector.value) ?? false
    case 'in':
      return value !== undefined && selector.values.includes(value)
    case 'not in':
      return value === undefined || !selector.values.includes(value)
  }
}

function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`
}

/** Reads tokens at a position; spaces and tabs between them do not count. */
class Scanner {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Takes the pattern if it comes next and returns its first group, or all of it. The pattern must be sticky. */
  take(pattern: RegExp): string | undefined {
    this.#skipSpace()
    pattern.lastIndex = this.#position
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#position = pattern.lastIndex
    return match[1] ?? match[0]
  }

  isAtEnd(): boolean {
    this.#skipSpace()
    return this.#position === this.#text.length
  }

  error(expected: string): SelectorError {
    const rest = this.#text.slice(this.#position)
    const found = rest === '' ? 'the end' : `"${rest}"`
    return new SelectorError(
      `selector "${this.#text}": expected ${expected} at column ${this.#position + 1}, found ${found}`,
    )
  }

  #skipSpace(): void {
    while (this.#text[this.#position] === ' ' || this.#text[this.#position] === '\t') this.#position++
  }
}

function parseOr(scanner: Scanner): Selector {
  return parseSequence(scanner, { kind: 'or', separator: /\|\|/y, operand: parseAnd })
}

function parseAnd(scanner: Scanner): Selector {
  return parseSequence(scanner, { kind: 'and', separator: /&&/y, operand: parseNot })
}

function parseSequence(
  scanner: Scanner,
  part: { kind: 'and' | 'or'; separator: RegExp; operand: (scanner: Scanner) => Selector },
): Selector {
  const operands = [part.operand(scanner)]
  while (scanner.take(part.separator) !== undefined) operands.push(part.operand(scanner))
  const [only] = operands
  return operands.length === 1 && only !== undefined ? only : { kind: part.kind, operands }
}

function parseNot(scanner: Scanner): Selector {
  if (scanner.take(/!/y) !== undefined) return { kind: 'not', operand: parseNot(scanner) }
  return parsePrimary(scanner)
}

function parsePrimary(scanner: Scanner): Selector {
  if (scanner.take(/\(/y) !== undefined) {
    const inner = parseOr(scanner)
    if (scanner.take(/\)/y) === undefined) throw scanner.error(')')
    return inner
  }
  if (scanner.take(/all\([ \t]*\)/y) !== undefined) return { kind: 'all' }
  if (scanner.take(/global\([ \t]*\)/y) !== undefined) return { kind: 'global' }
  const label = scanner.take(/has\([ \t]*([\w./-]{1,512})[ \t]*\)/y)
  if (label !== undefined) return { kind: 'has', label }
  return parseLabelTest(scanner)
}

function parseLabelTest(scanner: Scanner): Selector {
  const label = scanner.take(/[\w./-]{1,512}/y)
  if (label === undefined) throw scanner.error('a label, has(), all(), ! or (')
  for (const [pattern, kind] of comparisons) {
    if (scanner.take(pattern) !== undefined) return { kind, label, value: parseText(scanner) }
  }
  if (scanner.take(/not[ \t]*in(?![\w./-])/y) !== undefined) return { kind: 'not in', label, values: parseSet(scanner) }
  if (scanner.take(/in(?![\w./-])/y) !== undefined) return { kind: 'in', label, values: parseSet(scanner) }
  throw scanner.error('==, !=, in, not in, contains, starts with or ends with')
}

const comparisons: readonly [RegExp, Comparison][] = [
  [/==(?!=)/y, '=='],
  [/!=/y, '!='],
  [/contains(?![\w./-])/y, 'contains'],
  [/starts[ \t]*with(?![\w./-])/y, 'starts with'],
  [/ends[ \t]*with(?![\w./-])/y, 'ends with'],
]

function parseSet(scanner: Scanner): string[] {
  if (scanner.take(/\{/y) === undefined) throw scanner.error('{')
  if (scanner.take(/\}/y) !== undefined) return []
  const values = [parseText(scanner)]
  while (scanner.take(/,/y) !== undefined) values.push(parseText(scanner))
  if (scanner.take(/\}/y) === undefined) throw scanner.error(', or }')
  return values
}

function parseText(scanner: Scanner): string {
  const quoted = scanner.take(/"[^"]*"|'[^']*'/y)
  if (quoted === undefined) throw scanner.error('a text in quotes')
  return quoted.slice(1, -1)
}

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatSelector, matchesSelector, parseSelector, type Selector, SelectorError } from './selector.ts'

const labels = { role: 'web', 'route-reflector': 'true', 'kubernetes.io/hostname': 'work01', empty: '' }

function matches(text: string): boolean {
  return matchesSelector(parseSelector(text), labels)
}

describe('matchesSelector', () => {
  it.each([
    ['', true],
    ['  \t', true],
    ['all()', true],
    ['global()', true],
    ["route-reflector == 'true'", true],
    ['route-reflector=="true"', true],
    ["router-reflector == 'true'", false],
    ["role != 'web'", false],
    ['has(role)', true],
    ['has( role )', true],
    ['!has(role)', false],
    ['!!has(role)', true],
    ["role in {'web', 'db'}", true],
    ['role in {}', false],
    ['role not in {"db"}', true],
    ['role notin {"db"}', true],
    ["! role in {'web'}", false],
    ["kubernetes.io/hostname starts with 'work'", true],
    ["kubernetes.io/hostname startswith 'work'", true],
    ["kubernetes.io/hostname ends with '02'", false],
    ["kubernetes.io/hostname contains 'ork'", true],
    ["empty == ''", true],
    ["role == 'db' || role == 'web' && has(empty)", true],
    ["(role == 'db' || role == 'web') && has(none)", false],
  ])('%s is %s', (text, expected) => {
    expect(matches(text)).toBe(expected)
  })

  it('lets an absent label satisfy only the negative comparisons', () => {
    expect(matches("none == ''")).toBe(false)
    expect(matches("none in {''}")).toBe(false)
    expect(matches("none contains ''")).toBe(false)
    expect(matches("none starts with ''")).toBe(false)
    expect(matches("none != 'x'")).toBe(true)
    expect(matches("none not in {'x'}")).toBe(true)
  })

  it('does not take what every object inherits for a label', () => {
    expect(matches('has(constructor)')).toBe(false)
  })

  it('binds && tighter than ||', () => {
    expect(matches('has(role) || has(none) && has(none)')).toBe(true)
  })
})

describe('parseSelector', () => {
  it.each([
    'route-reflector = "true"',
    'route-reflector === "true"',
    'route-reflector == true',
    'route-reflector',
    'all',
    'has(role',
    '(has(role)',
    "role in 'web'",
    "role in {'web'",
    "role in {'web',}",
    "role == 'web' &&",
    "role == 'web' role == 'db'",
    'role == \'web"',
    'all() &',
  ])('refuses %s', (text) => {
    expect(() => parseSelector(text)).toThrow(SelectorError)
  })

  it('says where and what', () => {
    expect(() => parseSelector('a == true')).toThrow(
      'selector "a == true": expected a text in quotes at column 6, found "true"',
    )
  })
})

describe('formatSelector', () => {
  it('sorts sets, drops repeats and puts compounds in parentheses', () => {
    expect(formatSelector(parseSelector("a in {'y','x','x'} && (b notin {} || !has(c))"))).toBe(
      '(a in {"x", "y"} && (b not in {} || !has(c)))',
    )
  })

  it('takes single quotes only for a value with double ones', () => {
    expect(formatSelector(parseSelector(`a == 'say "x"'`))).toBe(`a == 'say "x"'`)
  })

  it('parses back to a selector that means the same', () => {
    fc.assert(
      fc.property(selector, anyLabels, (tree, some) => {
        const text = formatSelector(tree)
        const again = parseSelector(text)
        expect(matchesSelector(again, some)).toBe(matchesSelector(tree, some))
        expect(formatSelector(again)).toBe(text)
      }),
    )
  })
})

const label = fc.constantFrom('a', 'b', 'route-reflector', 'kubernetes.io/hostname', 'in', 'not', 'has', 'all')
const value = fc.constantFrom('', 'x', 'y', 'true', 'it is "x"', 'ab', 'b c')
const anyLabels = fc.dictionary(label, value, { maxKeys: 5 })
const leaf: fc.Arbitrary<Selector> = fc.oneof(
  fc.constantFrom<Selector>({ kind: 'all' }, { kind: 'global' }),
  fc.record({ kind: fc.constant('has' as const), label }),
  fc.record({
    kind: fc.constantFrom(
      '==' as const,
      '!=' as const,
      'contains' as const,
      'starts with' as const,
      'ends with' as const,
    ),
    label,
    value,
  }),
  fc.record({
    kind: fc.constantFrom('in' as const, 'not in' as const),
    label,
    values: fc.array(value, { maxLength: 3 }),
  }),
)
const { selector } = fc.letrec<{ selector: Selector }>((tie) => ({
  selector: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({ kind: fc.constant('not' as const), operand: tie('selector') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('selector'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))

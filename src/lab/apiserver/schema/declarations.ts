import { TwinlaneError } from '../../../base/errors.ts'
import type { Schema } from './schema.ts'

/** What one `.d.ts` file declares: types by name, and for each name used but not declared here where it comes from. */
export interface Declarations {
  readonly types: ReadonlyMap<string, Schema>
  /** Imported name to module path as written, e.g. `../meta/v1`. */
  readonly imports: ReadonlyMap<string, string>
}

/**
 * Reads the regular declarations of the npm package kubernetes-types: interfaces with doc comments, type aliases and
 * imports. A named type becomes `{ $ref: name }`, bare, for the caller to qualify.
 */
export function parseDeclarations(text: string): Declarations {
  const parser = new Parser(text)
  const types = new Map<string, Schema>()
  const imports = new Map<string, string>()
  for (;;) {
    const doc = parser.takeDoc()
    const word = parser.take()
    if (word === undefined) return { types, imports }
    if (word === 'import') parseImport(parser, imports)
    else if (word === 'export') parseExport(parser, doc, types)
  }
}

function parseImport(parser: Parser, imports: Map<string, string>): void {
  const names = parser.takeUntil('from').filter((word) => /^\w+$/.test(word))
  const module = unquote(parser.take() ?? '')
  for (const name of names) imports.set(name, module)
}

function parseExport(parser: Parser, doc: string | undefined, types: Map<string, Schema>): void {
  const form = parser.take()
  const name = parser.take() ?? ''
  const described = doc === undefined ? {} : { description: doc }
  if (form === 'interface') types.set(name, { ...described, ...parseMembers(parser) })
  else if (form === 'type') {
    parser.expect('=')
    types.set(name, { ...described, ...parseType(parser) })
  }
}

/** `{ /** doc *\/ name?: type; … }`; an index signature becomes additionalProperties. */
function parseMembers(parser: Parser): Schema {
  const schema: Schema = { type: 'object' }
  const required: string[] = []
  parser.expect('{')
  for (;;) {
    const doc = parser.takeDoc()
    let word = parser.take()
    if (word === '}') break
    if (word === 'readonly') word = parser.take()
    if (word === '[') schema.additionalProperties = parseIndexed(parser)
    else {
      const name = unquote(word ?? '')
      const isOptional = parser.takeIf('?')
      schema.properties ??= {}
      schema.properties[name] = parseMember(parser, doc)
      if (!isOptional) required.push(name)
    }
  }
  if (required.length > 0) schema.required = required
  return schema
}

function parseIndexed(parser: Parser): Schema {
  parser.takeUntil(']')
  return parseMember(parser, undefined)
}

function parseMember(parser: Parser, doc: string | undefined): Schema {
  parser.expect(':')
  const type = parseType(parser)
  parser.takeIf(';')
  return doc === undefined ? type : { description: doc, ...type }
}

/** A union is int-or-string when it is exactly that; any other union may be anything. */
function parseType(parser: Parser): Schema {
  const options = [parseOneType(parser)]
  while (parser.takeIf('|')) options.push(parseOneType(parser))
  const [only] = options
  if (options.length === 1 && only !== undefined) return only
  const kinds = options.map((option) => option.type).sort()
  if (kinds.join() === 'integer,string') return { 'x-kubernetes-int-or-string': true }
  return { 'x-kubernetes-preserve-unknown-fields': true }
}

function parseOneType(parser: Parser): Schema {
  if (parser.peek() === '{') return parseMembers(parser)
  const word = parser.take() ?? ''
  let schema = namedType(word)
  if (word === 'Array') {
    parser.expect('<')
    schema = { type: 'array', items: parseType(parser) }
    parser.expect('>')
  }
  while (parser.peek() === '[') {
    parser.takeUntil(']')
    schema = { type: 'array', items: schema }
  }
  return schema
}

/** Every number of the built-in API is an integer, save three fields of JSONSchemaProps that the caller corrects. */
function namedType(word: string): Schema {
  if (word === 'string' || word.startsWith('"')) return { type: 'string' }
  if (word === 'boolean' || word === 'true' || word === 'false') return { type: 'boolean' }
  if (word === 'number') return { type: 'integer' }
  if (word === 'any' || word === 'object' || word === 'unknown') return { 'x-kubernetes-preserve-unknown-fields': true }
  return { $ref: word }
}

class Parser {
  readonly #tokens: string[]
  #next = 0

  constructor(text: string) {
    this.#tokens = text.match(/\/\*\*[\s\S]*?\*\/|"[^"]*"|[\w$-]+|[^\s\w]/g) ?? []
  }

  peek(): string | undefined {
    return this.#tokens[this.#next]
  }

  take(): string | undefined {
    return this.#tokens[this.#next++]
  }

  takeIf(token: string): boolean {
    if (this.peek() !== token) return false
    this.#next++
    return true
  }

  expect(token: string): void {
    const found = this.take()
    if (found !== token) throw new TwinlaneError(`cannot read type declarations: "${token}" expected, "${found}" found`)
  }

  takeUntil(token: string): string[] {
    const taken: string[] = []
    for (let word = this.take(); word !== token && word !== undefined; word = this.take()) taken.push(word)
    return taken
  }

  takeDoc(): string | undefined {
    if (this.peek()?.startsWith('/**') !== true) return undefined
    const lines = (this.take() ?? '').slice(3, -2).split('\n')
    return lines
      .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
      .join('\n')
      .trim()
  }
}

function unquote(word: string): string {
  return word.replaceAll(/^["']|["']$/g, '')
}

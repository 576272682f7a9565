import { TwinlaneError } from '../../base/errors.ts'

/** A place in a text, both counted from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

export interface CommentedJson {
  readonly value: unknown
  /** Where each comment begins, and how it was marked. */
  readonly comments: readonly (Position & { readonly marker: '#' | '//' })[]
  /** Where the value at a path begins; paths look like `[0].default-route[1]`, the whole is ``. */
  positionOf(path: string): Position | undefined
}

/** The text is not JSON, even with comments allowed. */
export class CommentedJsonError extends TwinlaneError {
  readonly position: Position

  constructor(position: Position, reason: string, fix?: string) {
    super(`line ${position.line}, column ${position.column}: ${reason}`, fix === undefined ? {} : { fix })
    this.position = position
  }
}

const deepest = 64

const comment = /(#|\/\/)[^\n]*/y

/**
 * The same where the text is a single line. YAML folds the lines of a quoted text into one, so the comments of the
 * article arrive without their ends; one ends there where JSON goes on: before a key, a text, an object or a closing
 * bracket.
 */
const foldedComment = /(#|\/\/).*?(?=\s+(?:"(?:[^"\\]|\\.)*"\s*[:,\]}#/]|\{\s*"|[\]}])|$)/y

/**
 * JSON (RFC 8259) that may hold comments from `#` or `//` to the end of the line, outside strings. Nothing else is
 * relaxed: no trailing or double commas, no bare words. Written by hand because an error must name line and column on
 * every Node.js version and a later check must be able to say where a value stands.
 */
export function parseCommentedJson(text: string): CommentedJson {
  const scanner = new Scanner(text)
  const value = readValue(scanner, '', 0)
  scanner.skipBlank()
  if (!scanner.atEnd) throw scanner.error(`unexpected ${scanner.describe()} after the end of the value`)
  return { value, comments: scanner.comments, positionOf: (path) => scanner.positions.get(path) }
}

function readValue(scanner: Scanner, path: string, depth: number): unknown {
  scanner.skipBlank()
  if (depth > deepest) throw scanner.error(`nested deeper than ${deepest} levels`)
  scanner.positions.set(path, scanner.position())
  if (scanner.take('{')) return readObject(scanner, path, depth)
  if (scanner.take('[')) return readArray(scanner, path, depth)
  if (scanner.peek === '"') return scanner.readString()
  return scanner.readWord()
}

function readObject(scanner: Scanner, path: string, depth: number): Record<string, unknown> {
  const entries: [string, unknown][] = []
  scanner.skipBlank()
  if (scanner.take('}')) return {}
  for (;;) {
    scanner.skipBlank()
    if (scanner.peek !== '"') throw scanner.error(`expected a key in double quotes, found ${scanner.describe()}`)
    const key = scanner.readString()
    scanner.skipBlank()
    if (!scanner.take(':')) throw scanner.error(`expected ":" after the key "${key}", found ${scanner.describe()}`)
    entries.push([key, readValue(scanner, `${path}.${key}`, depth + 1)])
    if (!takeSeparator(scanner, '}')) return Object.fromEntries(entries)
  }
}

function readArray(scanner: Scanner, path: string, depth: number): unknown[] {
  const items: unknown[] = []
  scanner.skipBlank()
  if (scanner.take(']')) return items
  for (;;) {
    items.push(readValue(scanner, `${path}[${items.length}]`, depth + 1))
    if (!takeSeparator(scanner, ']')) return items
  }
}

/** True after a comma that something follows, false after the closing bracket. */
function takeSeparator(scanner: Scanner, close: '}' | ']'): boolean {
  scanner.skipBlank()
  if (scanner.take(close)) return false
  const comma = scanner.position()
  if (!scanner.take(',')) throw scanner.error(`expected "," or "${close}", found ${scanner.describe()}`)
  scanner.skipBlank()
  if (scanner.peek === close) throw new CommentedJsonError(comma, `trailing "," before "${close}"`, 'Remove the comma.')
  if (scanner.peek === ',') throw scanner.error('two "," in a row', 'Remove one of them.')
  return true
}

/** `# "interface": "eth1",` on a line of its own, folded: nobody can tell whether it is meant to hold. */
function hiddenJson(position: Position): CommentedJsonError {
  const reason = 'a comment with JSON behind it, and the line break that ended it is lost'
  return new CommentedJsonError(position, reason, 'Remove the comment, or write the annotation as a YAML block (|).')
}

class Scanner {
  readonly comments: (Position & { marker: '#' | '//' })[] = []
  readonly positions = new Map<string, Position>()
  readonly #text: string
  readonly #lineStarts: number[]
  readonly #isFolded: boolean
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#isFolded = !text.trim().includes('\n')
    this.#lineStarts = [0, ...[...text.matchAll(/\n/g)].map((match) => match.index + 1)]
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length
  }

  get peek(): string {
    return this.#text[this.#at] ?? ''
  }

  take(character: string): boolean {
    if (this.peek !== character) return false
    this.#at++
    return true
  }

  /** Skips white space and comments. */
  skipBlank(): void {
    for (;;) {
      this.#match(/[ \t\r\n]+/y)
      const position = this.position()
      const found = this.#match(this.#isFolded ? foldedComment : comment)
      if (found === undefined) return
      const marker = found.startsWith('#') ? '#' : '//'
      if (this.#isFolded && found.trim() === marker) throw hiddenJson(position)
      this.comments.push({ ...position, marker })
    }
  }

  readString(): string {
    const start = this.#at
    const token = this.#match(/"(?:[^"\\\n]|\\.)*"/y)
    if (token === undefined) throw this.error('a string that does not end on its line', 'Close it with a double quote.')
    try {
      return JSON.parse(token) as string
    } catch {
      throw new CommentedJsonError(
        this.position(start),
        `${token} is not a valid string`,
        'Use only the escapes of JSON, e.g. \\n or \\u0001.',
      )
    }
  }

  /** A number, true, false or null. */
  readWord(): unknown {
    const start = this.#at
    const word = this.#match(/[-+.\w]+/y)
    if (word === undefined) throw this.error(`expected a value, found ${this.describe()}`)
    try {
      return JSON.parse(word)
    } catch {
      throw new CommentedJsonError(this.position(start), `"${word}" is not a value`, 'Text must be in double quotes.')
    }
  }

  describe(): string {
    const character = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0x20)
    return this.atEnd ? 'the end of the text' : JSON.stringify(character)
  }

  error(reason: string, fix?: string): CommentedJsonError {
    return new CommentedJsonError(this.position(), reason, fix)
  }

  position(at = this.#at): Position {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= at) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: at - (this.#lineStarts[low] ?? 0) + 1 }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}

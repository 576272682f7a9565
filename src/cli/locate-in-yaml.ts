import { type Document, isMap, isNode, isScalar, isSeq, type LineCounter, type Scalar } from 'yaml'
import type { Position } from '../kube/resources/commented-json.ts'

interface Wanted {
  readonly path: readonly (string | number)[]
  /** A place in the text of the value. */
  readonly at?: Position | undefined
  readonly lines: LineCounter
  readonly text: string
}

/**
 * Where a value stands in a file, or a place within its text. Of a field that is not there,
 * the place of the nearest parent.
 */
export function locateInYaml(document: Document, { path, at, lines, text }: Wanted): Position {
  const { node, isFound } = walk(document, path)
  const offset = isNode(node) ? node.range?.[0] : undefined
  const start = offset === undefined ? { line: 1, column: 1 } : positionAt(lines, offset)
  if (at === undefined || !isFound || !isScalar(node)) return start
  return withinScalar(node, { start, at, rows: text.split('\n') })
}

function walk(document: Document, path: readonly (string | number)[]): { node: unknown; isFound: boolean } {
  let node: unknown = document.contents
  for (const key of path) {
    const next: unknown = isMap(node) || isSeq(node) ? node.get(key, true) : undefined
    if (next === undefined) return { node, isFound: false }
    node = next
  }
  return { node, isFound: true }
}

/**
 * YAML folds and unescapes a text, but keeps the order of its characters that are not blank: the n-th of the value is
 * the n-th of the source.
 */
function withinScalar(
  scalar: Scalar,
  { start, at, rows }: { start: Position; at: Position; rows: readonly string[] },
): Position {
  const wanted = countVisible(String(scalar.value), at)
  const isBlock = scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED'
  const isQuoted = scalar.type === 'QUOTE_SINGLE' || scalar.type === 'QUOTE_DOUBLE'
  const first = isBlock ? start.line : start.line - 1
  const visible = scalar.type === 'QUOTE_SINGLE' ? /''|\S/g : scalar.type === 'QUOTE_DOUBLE' ? /\\[nrt]|\\?\S/g : /\S/g
  let seen = 0
  for (const [index, row] of rows.slice(first).entries()) {
    const from = index > 0 || isBlock ? 0 : start.column - 1 + (isQuoted ? 1 : 0)
    for (const match of row.slice(from).matchAll(visible)) {
      if (/^\\[nrt]$/.test(match[0])) continue
      if (seen === wanted) return { line: first + index + 1, column: from + match.index + 1 }
      seen++
    }
  }
  return start
}

/** How many characters that are not blank come before a place in a text. */
function countVisible(text: string, { line, column }: Position): number {
  const rows = text.split('\n')
  const before = [...rows.slice(0, line - 1), (rows[line - 1] ?? '').slice(0, column - 1)].join('')
  return before.match(/\S/g)?.length ?? 0
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

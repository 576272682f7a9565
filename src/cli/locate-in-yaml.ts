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
 * Where a value stands in a file, or a place within its text. A text in quotes that goes over several lines is folded
 * by YAML, so a place in it cannot be found again: then it is the start of the text. Of a field that is not there, the
 * place of the nearest parent.
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

function withinScalar(
  scalar: Scalar,
  { start, at, rows }: { start: Position; at: Position; rows: readonly string[] },
): Position {
  if (scalar.type === 'BLOCK_LITERAL') {
    const first = rows[start.line] ?? ''
    const indentation = first.length - first.trimStart().length
    return { line: start.line + at.line, column: indentation + at.column }
  }
  const isOneLine = rows[start.line - 1]?.includes(String(scalar.source ?? scalar.value)) === true
  const quote = scalar.type === 'PLAIN' ? 0 : 1
  return isOneLine && at.line === 1 ? { line: start.line, column: start.column + quote + at.column - 1 } : start
}

function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

import { type Document, LineCounter, parseAllDocuments } from 'yaml'

export interface ParsedYaml {
  /** Their `errors` say what is wrong. */
  readonly documents: readonly Document[]
  readonly lines: LineCounter
}

/**
 * Parses a stream of documents. Lines inside a quoted text that are indented less than YAML asks for are accepted, as
 * kubectl's parser accepts them: people write JSON into annotations that way, with the last bracket under the key.
 */
export function parseYaml(text: string): ParsedYaml {
  const first = parse(text)
  let parsed = first
  const rows = text.split('\n')
  for (let line = badLine(parsed); line !== undefined; line = badLine(parsed)) {
    // Errors move forward with each repair; a quote that is never closed ends at the next document or at the end.
    if (!indentLine(rows, line)) return first
    const before = line
    parsed = parse(rows.join('\n'))
    if ((badLine(parsed) ?? before + 1) <= before) return first
  }
  return parsed.documents.some((document) => document.errors.length > 0) ? first : parsed
}

function parse(text: string): ParsedYaml {
  const lines = new LineCounter()
  // An empty stream is given back as an object of its own kind, which is a list all the same.
  return { documents: [...parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })], lines }
}

/** Index of the first line that ends a quoted text too early because of its indentation. */
function badLine({ documents, lines }: ParsedYaml): number | undefined {
  const error = documents.flatMap((document) => document.errors)[0]
  if (error === undefined || !/^Missing closing '?"?quote/.test(error.message)) return undefined
  // The error stands at the end of the last line that was taken, counted from 1: the bad one is the next.
  return lines.linePos(error.pos[0]).line
}

/** Indents a line like the one before and one more; white space at its start means nothing inside quotes. */
function indentLine(rows: string[], index: number): boolean {
  const row = rows[index]
  if (row === undefined || /^(---|\.\.\.)(\s|$)/.test(row)) return false
  const before = rows.slice(0, index).findLast((candidate) => candidate.trim() !== '') ?? ''
  rows[index] = `${/^ */.exec(before)?.[0] ?? ''} ${row.trimStart()}`
  return true
}

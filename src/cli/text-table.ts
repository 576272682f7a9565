const gap = 3

type Row = readonly (string | undefined)[]

/** Rows under headings, padded with three blanks, as kubectl and calicoctl print; an undefined cell shows as <none>. */
export function renderTable(headings: readonly string[], rows: readonly Row[]): string {
  return new TablePrinter(headings).render(rows)
}

/** A table that grows: later rows keep the widths of earlier ones where they fit. */
export class TablePrinter {
  readonly #headings: readonly string[]
  readonly #widths: number[]
  #hasHeadings: boolean

  constructor(headings: readonly string[], withHeadings = true) {
    this.#headings = headings
    this.#hasHeadings = !withHeadings
    this.#widths = headings.map((heading) => (withHeadings ? heading.length : 0))
  }

  /** Lines for these rows; the first time with the headings. */
  render(rows: readonly Row[]): string {
    const cells = rows.map((row) => row.map((cell) => cell ?? '<none>'))
    const lines = this.#hasHeadings ? cells : [[...this.#headings], ...cells]
    this.#hasHeadings = true
    for (const line of lines) {
      for (const [column, cell] of line.entries()) {
        this.#widths[column] = Math.max(this.#widths[column] ?? 0, cell.length)
      }
    }
    return lines.map((line) => this.#renderLine(line)).join('\n')
  }

  #renderLine(cells: readonly string[]): string {
    const padded = cells.map((cell, column) => cell.padEnd((this.#widths[column] ?? 0) + gap))
    return padded.join('').trimEnd()
  }
}

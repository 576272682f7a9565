/** A table with rules around its headings and at its foot, headings centred, cells to the left: as calicoctl prints. */
export function renderBoxTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  )
  const rule = `+${widths.map((width) => '-'.repeat(width + 2)).join('+')}+`
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const heading = line(headings.map((text, column) => centred(text, widths[column] ?? 0)))
  const body = rows.map((cells) => line(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0))))
  return [rule, heading, rule, ...body, rule].join('\n')
}

/** An odd blank goes to the right. */
function centred(text: string, width: number): string {
  return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width)
}

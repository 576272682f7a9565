/** Splits a byte stream into lines, whole ones only; what is left at the end counts as a line too. */
export async function* splitLines(chunks: AsyncIterable<Buffer | string>): AsyncIterable<string> {
  // One object may be as large as a megabyte and arrive in pieces of 16 KB: pieces are joined once, at the line's end.
  let pieces: string[] = []
  const decoder = new TextDecoder()
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      pieces.push(text.slice(start, end))
      start = end + 1
      yield pieces.join('')
      pieces = []
    }
    if (start < text.length) pieces.push(text.slice(start))
  }
  if (pieces.length > 0) yield pieces.join('')
}

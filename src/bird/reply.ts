/** One line of a reply with the code that it belongs to. */
export interface ReplyLine {
  readonly code: number
  readonly text: string
}

export interface BirdReply {
  readonly lines: readonly ReplyLine[]
  /** The lines' texts, joined by line breaks. */
  readonly text: string
}

export interface ParsedReply {
  readonly lines: readonly ReplyLine[]
  /** The last line has arrived. */
  readonly isComplete: boolean
  /** What came after it. */
  readonly rest: string
}

/**
 * Reads a reply: `NNNN-text` goes on, `NNNN text` ends it, a line that starts with a space belongs to the code before,
 * `+text` is an echo of the log and no part of the reply.
 */
export function parseReplyLines(received: string): ParsedReply {
  const lines: ReplyLine[] = []
  let start = 0
  for (let end = received.indexOf('\n'); end >= 0; end = received.indexOf('\n', start)) {
    const line = received.slice(start, end)
    start = end + 1
    const match = /^(\d{4})([ -])(.*)$/s.exec(line)
    if (match !== null) lines.push({ code: Number(match[1]), text: match[3] ?? '' })
    else if (line.startsWith(' ')) lines.push({ code: lines.at(-1)?.code ?? 0, text: line.slice(1) })
    if (match?.[2] === ' ') return { lines, isComplete: true, rest: received.slice(start) }
  }
  return { lines, isComplete: false, rest: received }
}

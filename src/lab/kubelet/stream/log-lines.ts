/** Which part of a container's log is wanted; the query of `kubectl logs`. */
export interface LogOptions {
  readonly follow: boolean
  readonly previous: boolean
  readonly timestamps: boolean
  readonly tailLines?: number | undefined
  readonly sinceMs?: number | undefined
  readonly limitBytes?: number | undefined
}

/** One entry of a log file in the container runtime interface's form: `TIME STREAM F|P TEXT`. */
export interface LogEntry {
  readonly time: string
  readonly text: string
  /** The line goes on in the next entry. */
  readonly isPartial: boolean
}

/** Parses one line of the file; undefined for one that is cut off or foreign. */
export function parseLogLine(line: string): LogEntry | undefined {
  const match = /^(\S+) (?:stdout|stderr) ([FP])(?::\S*)? ?(.*)$/s.exec(line)
  if (match === null) return undefined
  return { time: match[1] ?? '', text: match[3] ?? '', isPartial: match[2] === 'P' }
}

/** The entry as a client sees it. */
export function renderLogEntry(entry: LogEntry, options: Pick<LogOptions, 'timestamps'>): string {
  const start = options.timestamps ? `${entry.time} ` : ''
  return `${start}${entry.text}${entry.isPartial ? '' : '\n'}`
}

/** The entries that the options ask for of those that are there already. A line in parts counts once. */
export function selectEntries(entries: readonly LogEntry[], options: LogOptions): LogEntry[] {
  const { sinceMs, tailLines } = options
  const recent = sinceMs === undefined ? [...entries] : entries.filter(({ time }) => Date.parse(time) >= sinceMs)
  if (tailLines === undefined) return recent
  let lines = 0
  let at = recent.length
  while (at > 0) {
    const endsLine = recent[at - 1]?.isPartial !== true || at === recent.length
    if (endsLine && lines === tailLines) break
    if (endsLine) lines++
    at--
  }
  return recent.slice(at)
}

/** Cuts bytes into whole lines; keeps the rest for the next call. */
export class LineSplitter {
  #rest = ''
  readonly #decoder = new TextDecoder()

  push(chunk: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines
  }
}

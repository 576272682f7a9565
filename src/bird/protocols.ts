import type { BirdReply } from './reply.ts'

/** One protocol as `show protocols` or `show protocols all` describes it. */
export interface BirdProtocolState {
  readonly name: string
  /** BGP, Kernel, Static … */
  readonly protocol: string
  /** `---` for a protocol without one table, such as BGP. */
  readonly table: string
  /** up, start, wait, down, feed, flush, stop */
  readonly state: string
  /** Time of the last change of state, a date if it is long ago. */
  readonly since: string
  /** For BGP the state of the session and its last error, e.g. `Active Socket: Connection refused`. */
  readonly info: string
  readonly neighborAddress?: string
  readonly neighborAsNumber?: number
  readonly lastError?: string
}

/** Reads the reply to `show protocols` or `show protocols all`. Columns are pushed by long names, so they are words, not positions. */
export function parseProtocols(reply: BirdReply): BirdProtocolState[] {
  const protocols: BirdProtocolState[] = []
  for (const { code, text } of reply.lines) {
    if (code === 1002) protocols.push(...parseRow(text))
    else if (code === 1006) addDetail(protocols, text)
  }
  return protocols
}

function parseRow(text: string): BirdProtocolState[] {
  const [name, protocol, table, state, since, ...info] = text.trim().split(/\s+/)
  if (name === undefined || protocol === undefined || table === undefined || state === undefined) return []
  return [{ name, protocol, table, state, since: since ?? '', info: info.join(' ') }]
}

/** Details belong to the row before them. */
function addDetail(protocols: BirdProtocolState[], text: string): void {
  const current = protocols.pop()
  if (current === undefined) return
  protocols.push({ ...current, ...detailOf(text.trim()) })
}

function detailOf(text: string): Partial<BirdProtocolState> {
  const [, key, value] = /^([A-Za-z ]+):\s+(.*)$/.exec(text) ?? []
  if (value === undefined) return {}
  if (key === 'Neighbor address') return { neighborAddress: value.replace(/%.*$/, '') }
  if (key === 'Neighbor AS') return { neighborAsNumber: Number(value) }
  if (key === 'Last error') return { lastError: value.trim() }
  return {}
}

import { describe, expect, it } from 'vitest'
import { LineSplitter, type LogOptions, parseLogLine, renderLogEntry, selectEntries } from './log-lines.ts'

const none: LogOptions = { follow: false, previous: false, timestamps: false }
const entries = [
  '2026-01-01T00:00:01Z stdout F one',
  '2026-01-01T00:00:02Z stderr P two ',
  '2026-01-01T00:00:02Z stderr F parts',
  '2026-01-01T00:00:03Z stdout F ',
].map((line) => parseLogLine(line) ?? { time: '', text: '', isPartial: false })

function text(options: Partial<LogOptions>): string {
  const all = { ...none, ...options }
  return selectEntries(entries, all)
    .map((entry) => renderLogEntry(entry, all))
    .join('')
}

describe('log lines', () => {
  it('are parsed with their time and joined where they are in parts', () => {
    expect(text({})).toBe('one\ntwo parts\n\n')
    expect(text({ timestamps: true })).toMatch(/^2026-01-01T00:00:01Z one\n/)
  })

  it('that are cut off or foreign are passed over', () => {
    expect(parseLogLine('2026-01-01T00:00:01Z std')).toBeUndefined()
    expect(parseLogLine('')).toBeUndefined()
  })

  it('are counted as a reader sees them', () => {
    expect(text({ tailLines: 0 })).toBe('')
    expect(text({ tailLines: 1 })).toBe('\n')
    expect(text({ tailLines: 2 })).toBe('two parts\n\n')
    expect(text({ tailLines: 9 })).toBe('one\ntwo parts\n\n')
  })

  it('can begin at a time', () => {
    expect(text({ sinceMs: Date.parse('2026-01-01T00:00:03Z') })).toBe('\n')
  })
})

describe('LineSplitter', () => {
  it('gives whole lines only, and characters whole', () => {
    const splitter = new LineSplitter()
    const bytes = Buffer.from('eins\nz\u00fc\nlast')
    expect(splitter.push(bytes.subarray(0, 7))).toEqual(['eins'])
    expect(splitter.push(bytes.subarray(7))).toEqual(['z\u00fc'])
    expect(splitter.push(Buffer.from('\n'))).toEqual(['last'])
  })
})

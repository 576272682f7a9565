import { InvalidArgumentError } from 'commander'

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `30s`, `1m30s`, `500ms`, or a bare number of seconds, in milliseconds. For commander: throws InvalidArgumentError. */
export function parseDurationMs(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new InvalidArgumentError('write a duration such as 30s, 5m or 1h')
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0))
}

/** For commander: throws InvalidArgumentError. */
export function parseWholeNumber(text: string): number {
  if (!/^-?\d+$/.test(text)) throw new InvalidArgumentError('write a whole number')
  return Number(text)
}

/** For commander: collects a flag that may be given several times. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value]
}

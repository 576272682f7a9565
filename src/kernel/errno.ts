import { constants } from 'node:os'

/** Names that Node's own table lacks, or has under a second name for the same number. */
const OVERRIDES: readonly [number, string][] = [
  [11, 'EAGAIN'],
  [95, 'EOPNOTSUPP'],
  [117, 'EUCLEAN'],
  [524, 'ENOTSUPP'],
]

const names = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
  ...OVERRIDES,
])

/** The name of an errno value, e.g. `EEXIST`. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`
}

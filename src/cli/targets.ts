import type { ResourceType } from '../kube/resources/meta.ts'
import { UsageError } from './io.ts'

/** A kind with the names that were given; no names means all of its objects. */
export interface Selection {
  readonly type: ResourceType
  readonly names: readonly string[]
  /** Of the names, where it is not the one that the command works in. */
  readonly namespace?: string | undefined
}

/** Reads `KIND[,KIND…] [NAME…]` or `KIND/NAME…`. Throws UsageError. */
export function parseTargets(words: readonly string[], kindByName: (text: string) => ResourceType): Selection[] {
  const [first = '', ...rest] = words
  if (first.includes('/')) return words.map((word) => parsePair(word, kindByName))
  const stray = rest.find((word) => word.includes('/'))
  if (stray !== undefined)
    throw new UsageError(`"${stray}": names after a kind have no slash`, {
      fix: `write every object as KIND/NAME, or none`,
    })
  const kinds = first.split(',').filter((word) => word !== '')
  return kinds.map((kind) => ({ type: kindByName(kind), names: rest }))
}

function parsePair(word: string, kindByName: (text: string) => ResourceType): Selection {
  const [kind = '', name = '', ...more] = word.split('/')
  if (kind === '' || name === '' || more.length > 0) throw new UsageError(`"${word}" is not KIND/NAME`)
  return { type: kindByName(kind), names: [name] }
}

/** Name of a pod, with or without its kind in front. Throws UsageError. */
export function podName(text: string): string {
  const name = text.replace(/^(pods?|po)\//, '')
  if (name === '' || name.includes('/')) throw new UsageError(`"${text}" is not the name of a pod`)
  return name
}

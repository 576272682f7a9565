import type { AtomType, ColumnType } from './schema.ts'

export type Atom = string | number | boolean

/** A row of the same transaction that has no UUID yet. */
export interface NamedUuid {
  readonly namedUuid: string
}

/**
 * A column's value in JavaScript, by the shape of its column: scalar → the atom, optional → the atom or undefined,
 * set → an array, map → a plain object (keys as text). UUIDs are their text.
 */
export type Value = Atom | undefined | readonly Atom[] | Readonly<Record<string, Atom>>

/** What may be written: as Value, and references to rows of the same transaction. */
export type WritableValue =
  | Value
  | NamedUuid
  | readonly (Atom | NamedUuid)[]
  | Readonly<Record<string, Atom | NamedUuid>>

export function isNamedUuid(value: unknown): value is NamedUuid {
  return typeof value === 'object' && value !== null && 'namedUuid' in value
}

/** From the wire's notation (RFC 7047 section 5.1). */
export function decodeValue(type: ColumnType, wire: unknown): Value {
  if (type.shape === 'map') return decodeMap(wire)
  const atoms = decodeAtoms(wire)
  return type.shape === 'set' ? atoms : atoms[0]
}

/** What a column holds when nobody wrote it; the server leaves such columns out. */
export function defaultValue(type: ColumnType): Value {
  if (type.shape === 'map') return emptyMap()
  if (type.shape === 'set') return []
  return type.shape === 'optional' ? undefined : defaultAtom(type.key)
}

/**
 * Applies the value of a column in a `modify` of update2/update3: scalars and optionals come as they are now; sets as
 * the symmetric difference; maps with keys to add, keys to change, and keys to remove (told by repeating their value).
 */
export function applyDiff(type: ColumnType, before: Value, wire: unknown): Value {
  if (type.shape === 'map') return applyMapDiff(before as Readonly<Record<string, Atom>>, decodeMap(wire))
  if (type.shape === 'set') return xor(before as readonly Atom[], decodeAtoms(wire))
  return decodeValue(type, wire)
}

/** To the wire's notation. */
export function encodeValue(type: ColumnType, value: WritableValue): unknown {
  if (type.shape === 'map') {
    const entries = Object.entries((value ?? {}) as Readonly<Record<string, Atom | NamedUuid>>)
    const pairs = entries.map(([key, item]) => [
      encodeAtom(type.key, keyAtom(type.key, key)),
      encodeAtom(type.value ?? 'string', item),
    ])
    return ['map', pairs]
  }
  if (type.shape === 'set') return ['set', asArray(value).map((atom) => encodeAtom(type.key, atom))]
  if (value === undefined) return ['set', []]
  return encodeAtom(type.key, value as Atom | NamedUuid)
}

/** A key of a map column, for mutations that delete by key. */
export function encodeKeys(type: ColumnType, keys: readonly string[]): unknown {
  return ['set', keys.map((key) => encodeAtom(type.key, keyAtom(type.key, key)))]
}

/** Whether two values of a column are the same; the order in a set does not matter. */
export function sameValue(type: ColumnType, a: Value, b: Value): boolean {
  if (type.shape === 'set') return sameSet(a as readonly Atom[], b as readonly Atom[])
  if (type.shape === 'map') return sameMap(a as Readonly<Record<string, Atom>>, b as Readonly<Record<string, Atom>>)
  return a === b
}

function asArray(value: WritableValue): readonly (Atom | NamedUuid)[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value : [value as Atom | NamedUuid]
}

function encodeAtom(type: AtomType, atom: Atom | NamedUuid): unknown {
  if (isNamedUuid(atom)) return ['named-uuid', atom.namedUuid]
  return type === 'uuid' ? ['uuid', atom] : atom
}

function keyAtom(type: AtomType, key: string): Atom {
  return type === 'integer' || type === 'real' ? Number(key) : type === 'boolean' ? key === 'true' : key
}

function decodeAtom(wire: unknown): Atom {
  return (Array.isArray(wire) ? wire[1] : wire) as Atom
}

/** A set with exactly one element is written as the element alone. */
function decodeAtoms(wire: unknown): Atom[] {
  if (Array.isArray(wire) && wire[0] === 'set') return (wire[1] as unknown[]).map(decodeAtom)
  return [decodeAtom(wire)]
}

function decodeMap(wire: unknown): Record<string, Atom> {
  const map = emptyMap()
  const pairs = (wire as [string, [unknown, unknown][]])[1]
  for (const [key, value] of pairs) map[String(decodeAtom(key))] = decodeAtom(value)
  return map
}

/** Without a prototype: a key may be any text. */
function emptyMap(): Record<string, Atom> {
  return Object.create(null) as Record<string, Atom>
}

function defaultAtom(type: AtomType): Atom {
  if (type === 'string') return ''
  if (type === 'boolean') return false
  return type === 'uuid' ? '00000000-0000-0000-0000-000000000000' : 0
}

function xor(before: readonly Atom[], diff: readonly Atom[]): Atom[] {
  const change = new Set(diff)
  const kept = before.filter((atom) => !change.delete(atom))
  return [...kept, ...change]
}

function applyMapDiff(before: Readonly<Record<string, Atom>>, diff: Record<string, Atom>): Record<string, Atom> {
  const after = Object.assign(emptyMap(), before)
  for (const [key, value] of Object.entries(diff)) {
    if (after[key] === value) delete after[key]
    else after[key] = value
  }
  return after
}

function sameSet(a: readonly Atom[], b: readonly Atom[]): boolean {
  if (a.length !== b.length) return false
  const left = new Set(a)
  return b.every((atom) => left.has(atom))
}

function sameMap(a: Readonly<Record<string, Atom>>, b: Readonly<Record<string, Atom>>): boolean {
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

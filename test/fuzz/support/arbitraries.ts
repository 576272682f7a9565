import fc from 'fast-check'

/** A valid text that somebody has damaged: cut, doubled, or with other characters in some place. */
export function damaged(texts: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom(...'[]{}",:#/@\\\0\n', 'null', '1e999', '__proto__'),
  )
  return fc
    .record({ text: fc.constantFrom(...texts), at: fc.nat(1000), length: fc.nat(12), piece, isCut: fc.boolean() })
    .map(({ text, at, length, piece: put, isCut }) => {
      const from = at % (text.length + 1)
      return isCut ? text.slice(0, from) + put : text.slice(0, from) + put + text.slice(from + length)
    })
}

/** An object of whose keys some have values of any kind, as text. */
export function oddValues(keys: readonly string[]): fc.Arbitrary<string> {
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom('', 'eth0', '10.0.0.1', '10.0.0.0/24', 'calico'),
  )
  return fc
    .dictionary(fc.constantFrom(...keys), value, { maxKeys: keys.length })
    .map((object) => JSON.stringify(object))
}

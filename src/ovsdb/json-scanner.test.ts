import fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonScanner } from './json-scanner.ts'

function scanInPieces(bytes: Buffer, sizes: readonly number[]): unknown[] {
  const scanner = new JsonScanner()
  const texts: string[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    texts.push(...scanner.push(bytes.subarray(at, at + size)))
    at += size
  }
  return texts.map((text) => JSON.parse(text))
}

test('objects back to back are told apart however the bytes are cut', () => {
  const anyObject = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue())
  const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.array(anyObject), sizes, fc.constantFrom('', ' ', '\n'), (objects, cut, gap) => {
      const text = objects.map((object) => JSON.stringify(object)).join(gap)
      expect(scanInPieces(Buffer.from(text), cut)).toEqual(JSON.parse(JSON.stringify(objects)))
    }),
  )
})

test('braces and quotes inside a text do not count', () => {
  const scanner = new JsonScanner()
  expect(scanner.push(Buffer.from('{"a":"}\\"{"}{"b":[]}{"c'))).toEqual(['{"a":"}\\"{"}', '{"b":[]}'])
  expect(scanner.push(Buffer.from('":1}'))).toEqual(['{"c":1}'])
})

test('bytes that start no object are refused', () => {
  expect(() => new JsonScanner().push(Buffer.from('HTTP/1.1 400'))).toThrow(SyntaxError)
})

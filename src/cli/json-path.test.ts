import { describe, expect, test } from 'vitest'
import { parseJsonPath, parseTemplate, showValues } from './json-path.ts'

const object = {
  metadata: { name: 'a', annotations: { 'x.io/y': 'z' } },
  status: { addresses: [{ address: '1' }, { address: '2' }], ready: true, nothing: null },
}

describe('a JSONPath', () => {
  test.each([
    ['{.metadata.name}', 'a'],
    ['.metadata.name', 'a'],
    ['metadata.name', 'a'],
    ['{$.metadata.name}', 'a'],
    ['{.status.addresses[1].address}', '2'],
    ['{.status.addresses[*].address}', '1 2'],
    ["{.metadata.annotations['x.io/y']}", 'z'],
    ['{.metadata.annotations.x\\.io/y}', 'z'],
    ['{.status.ready}', 'true'],
    ['{.status.addresses[0]}', '{"address":"1"}'],
    ['{.status.nothing}', ''],
    ['{.not.there}', ''],
  ])('%s gives "%s"', (path, expected) => {
    expect(showValues(parseJsonPath(path)(object))).toBe(expected)
  })

  test('that cannot be read is refused', () => {
    expect(() => parseJsonPath('{.a[}')).toThrow('cannot read the path')
  })

  test('stands in a template with text around it', () => {
    expect(parseTemplate('{.metadata.name}{"\\t"}is {.status.ready}')(object)).toBe('a\tis true')
  })
})

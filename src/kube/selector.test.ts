import { describe, expect, test } from 'vitest'
import { parseFieldSelector, parseLabelSelector } from './selector.ts'

describe('a label selector', () => {
  const labels = { app: 'web', tier: 'front' }
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    ['app!=web', false],
    ['other!=x', true],
    ['app', true],
    ['!app', false],
    ['!other', true],
    ['app in (web, db),tier', true],
    ['app notin (web)', false],
    ['other notin (x)', true],
    ['other in (x)', false],
  ])('%s', (text, expected) => {
    expect(parseLabelSelector(text)(labels)).toBe(expected)
  })

  test('that cannot be read is refused', () => {
    expect(() => parseLabelSelector('a = b c')).toThrow('cannot read the label selector "a = b c"')
  })
})

describe('a field selector', () => {
  const object = { metadata: { name: 'a' }, spec: { nodeName: 'work01' } }
  test.each([
    ['metadata.name=a', true],
    ['spec.nodeName!=work01', false],
    ['spec.nodeName=work01,metadata.name=b', false],
    ['status.phase=', true],
  ])('%s', (text, expected) => {
    expect(parseFieldSelector(text)(object)).toBe(expected)
  })
})

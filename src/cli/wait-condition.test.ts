import { describe, expect, test } from 'vitest'
import { parseCondition } from './wait-condition.ts'

const pod = {
  metadata: { name: 'a' },
  status: { phase: 'Pending', conditions: [{ type: 'Ready', status: 'False', reason: 'ContainersNotReady' }] },
}

describe('wait --for', () => {
  test.each([
    ['condition=Ready', false],
    ['condition=ready=false', true],
    ['condition=Initialized', false],
    ['jsonpath={.status.phase}=Pending', true],
    ['jsonpath={.status.phase}=Running', false],
    ['jsonpath={.status.phase}', true],
    ['jsonpath={.status.podIP}', false],
    ['create', true],
    ['delete', false],
  ])('%s', (text, expected) => {
    expect(parseCondition(text).isMet(pod)).toBe(expected)
  })

  test('explains why not', () => {
    expect(parseCondition('condition=Ready').explain(pod)).toBe('Ready=False, ContainersNotReady')
    expect(parseCondition('condition=Other').explain(pod)).toBe('it has no condition Other')
    expect(parseCondition('jsonpath={.status.phase}=Running').explain(pod)).toBe('{.status.phase} is Pending')
  })

  test('that is not understood is refused', () => {
    expect(() => parseCondition('Ready')).toThrow('--for=Ready')
  })
})

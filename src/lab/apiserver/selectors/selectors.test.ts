import { describe, expect, it } from 'vitest'
import { parseFieldSelector } from './field-selector.ts'
import { parseLabelSelector } from './label-selector.ts'

const labels = { app: 'web', tier: 'front', 'example.com/size': '12', empty: '' }

describe('a label selector', () => {
  it.each([
    ['', true],
    ['app=web', true],
    ['app==web,tier=front', true],
    ['app=web,tier=back', false],
    ['app!=web', false],
    ['missing!=x', true],
    ['app', true],
    ['!app', false],
    ['!missing', true],
    ['app in (web, api)', true],
    ['app in (api)', false],
    ['app notin (api),tier', true],
    ['missing notin (api)', true],
    ['app in (web),tier in (front,back),!missing', true],
    ['example.com/size>11', true],
    ['example.com/size<12', false],
    ['empty=', true],
    ['constructor', false],
  ])('%j matches or not: %j', (text, expected) => {
    expect(parseLabelSelector(text)(labels)).toBe(expected)
  })

  it.each(['app=web=x', 'a b', 'app in web', '=x', 'app=a b'])('%j is refused', (text) => {
    expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement/)
  })
})

describe('a field selector', () => {
  const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { nodeName: 'n1', hostNetwork: true } }

  it.each([
    ['metadata.name=a', true],
    ['metadata.name==a,spec.nodeName=n1', true],
    ['spec.nodeName!=n1', false],
    ['spec.hostNetwork=true', true],
    ['status.phase=', true],
    ['status.phase!=Running', true],
  ])('%j matches or not: %j', (text, expected) => {
    expect(parseFieldSelector(text)(object)).toBe(expected)
  })

  it('without an operator is refused', () => {
    expect(() => parseFieldSelector('metadata.name')).toThrow(/invalid field selector/)
  })
})

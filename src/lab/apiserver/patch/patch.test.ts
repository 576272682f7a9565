import { describe, expect, it } from 'vitest'
import { builtinSchemaName, schemas } from '../schema/builtin.ts'
import type { Schema } from '../schema/schema.ts'
import { applyJsonPatch } from './json.ts'
import { applyMergePatch } from './merge.ts'
import { applyStrategicPatch } from './strategic.ts'

describe('a merge patch', () => {
  it.each([
    [{ a: 1 }, { a: 2 }, { a: 2 }],
    [{ a: 1, b: 2 }, { b: null }, { a: 1 }],
    [{ a: { b: 1, c: 2 } }, { a: { c: null, d: 3 } }, { a: { b: 1, d: 3 } }],
    [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    [{}, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
    [{ a: 'text' }, { a: { b: 1 } }, { a: { b: 1 } }],
  ])('on %j with %j gives %j and changes no argument', (target, patch, expected) => {
    const before = JSON.stringify([target, patch])
    expect(applyMergePatch(target, patch)).toEqual(expected)
    expect(JSON.stringify([target, patch])).toBe(before)
  })

  it('cannot reach the prototype of objects', () => {
    applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'))
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

describe('a JSON patch', () => {
  it('applies its operations in order', () => {
    const patch = [
      { op: 'add', path: '/list/-', value: 3 },
      { op: 'remove', path: '/list/0' },
      { op: 'test', path: '/list/0', value: 2 },
    ]
    expect(applyJsonPatch({ list: [1, 2] }, patch)).toEqual({ list: [2, 3] })
  })

  it('that does not apply is refused with 422, one that is none with 400', () => {
    expect(() => applyJsonPatch({}, [{ op: 'remove', path: '/a/b' }])).toThrow(
      expect.objectContaining({ code: 422, reason: 'Invalid' }),
    )
    expect(() => applyJsonPatch({}, { a: 1 })).toThrow(expect.objectContaining({ code: 400 }))
  })
})

describe('a strategic merge patch', () => {
  const typed = { schema: schemas.find(builtinSchemaName('', 'v1', 'Pod')) as Schema, source: schemas }
  const pod = {
    metadata: { finalizers: ['x/a', 'x/b'], labels: { a: '1' } },
    spec: {
      containers: [
        { name: 'one', image: 'i1', args: ['a'], env: [{ name: 'X', value: '1' }] },
        { name: 'two', image: 'i2' },
      ],
      volumes: [{ name: 'v', emptyDir: {} }],
      tolerations: [{ key: 'k' }],
    },
  }
  const spec = (patch: object) => (applyStrategicPatch(pod, { spec: patch }, typed) as unknown as typeof pod).spec
  const names = (patch: object) => spec(patch).containers.map((container) => container.name)

  it('merges items of a keyed list, adds new ones, and replaces lists inside that have no key', () => {
    const patched = spec({
      containers: [{ name: 'one', args: ['b'], env: [{ name: 'Y', value: '2' }] }, { name: 'three' }],
    })
    expect(patched.containers).toEqual([
      {
        name: 'one',
        image: 'i1',
        args: ['b'],
        env: [
          { name: 'X', value: '1' },
          { name: 'Y', value: '2' },
        ],
      },
      { name: 'two', image: 'i2' },
      { name: 'three' },
    ])
    expect(spec({ tolerations: [{ key: 'z' }] }).tolerations).toEqual([{ key: 'z' }])
  })

  it('obeys $patch: delete and $patch: replace', () => {
    expect(names({ containers: [{ name: 'one', $patch: 'delete' }] })).toEqual(['two'])
    expect(names({ containers: [{ $patch: 'replace' }, { name: 'new' }] })).toEqual(['new'])
    const replaced = applyStrategicPatch(pod, { metadata: { labels: { $patch: 'replace', b: '2' } } }, typed)
    expect(replaced.metadata).toMatchObject({ labels: { b: '2' } })
  })

  it('obeys $setElementOrder, leaving items that the client does not know where they were', () => {
    const order = { '$setElementOrder/containers': [{ name: 'two' }, { name: 'one' }] }
    expect(names(order)).toEqual(['two', 'one'])
    const added = { ...order, containers: [{ name: 'two', image: 'i9' }] }
    expect(names(added)).toEqual(['two', 'one'])
    expect(names({ '$setElementOrder/containers': [{ name: 'two' }] })).toEqual(['one', 'two'])
  })

  it('obeys $retainKeys and $deleteFromPrimitiveList', () => {
    const volume = { name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }
    expect(spec({ volumes: [volume] }).volumes).toEqual([{ name: 'v', hostPath: { path: '/x' } }])
    const patch = { metadata: { '$deleteFromPrimitiveList/finalizers': ['x/a'], finalizers: ['x/c'] } }
    expect(applyStrategicPatch(pod, patch, typed).metadata).toMatchObject({ finalizers: ['x/b', 'x/c'] })
  })

  it('removes with null, and refuses an item without its key', () => {
    expect(applyStrategicPatch(pod, { metadata: { labels: { a: null } } }, typed).metadata).toMatchObject({
      labels: {},
    })
    expect(() => spec({ containers: [{ image: 'x' }] })).toThrow(/does not contain declared merge key: name/)
  })
})

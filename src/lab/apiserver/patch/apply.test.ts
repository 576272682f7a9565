import { describe, expect, it } from 'vitest'
import type { ResourceRequest } from '../api.ts'
import { clone, type JsonObject, objectAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { builtinResources } from '../resources/builtin.ts'
import { applyConfiguration } from './apply.ts'
import { trackUpdate } from './managed-fields.ts'

const requestFor = (plural: string, subresource?: string): ResourceRequest => ({
  method: 'PATCH',
  resource: builtinResources.find((resource) => resource.plural === plural) as ResourceRequest['resource'],
  namespace: 'default',
  name: 'x',
  subresource,
  query: new URLSearchParams(),
  contentType: '',
  accept: '',
  user: { name: 'u', groups: [] },
  userAgent: 'test',
})

const pod = (containers: object[], labels: object = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'x', labels },
  spec: { containers },
})

function apply(live: ApiObject | undefined, config: JsonObject, fieldManager: string, force = false): ApiObject {
  const applied = applyConfiguration(requestFor('pods'), live, clone(config), { fieldManager, force })
  const object = clone(applied.object)
  objectAt(object, 'metadata').managedFields = applied.managedFields
  return object as unknown as ApiObject
}

function update(live: ApiObject, fieldManager: string, change: (draft: ApiObject) => void): ApiObject {
  const draft = clone(live)
  delete draft.metadata.managedFields
  change(draft)
  draft.metadata.managedFields = trackUpdate(requestFor('pods'), { fieldManager })(live, draft)
  return draft
}

const fieldsOf = (object: ApiObject, manager: string) =>
  (object.metadata.managedFields as { manager: string; fieldsV1: JsonObject }[]).find((one) => one.manager === manager)
    ?.fieldsV1

const containers = (object: ApiObject) => (object.spec as { containers: JsonObject[] }).containers

describe('server-side apply', () => {
  it('records items of keyed lists by their keys, with the default of an absent key', () => {
    const object = apply(undefined, pod([{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }], { a: '1' }), 'm')
    expect(fieldsOf(object, 'm')).toEqual({
      'f:metadata': { 'f:labels': { 'f:a': {} } },
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:image': {},
            'f:name': {},
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    })
  })

  it('removes what its manager said before and says no more, but not what another one owns too', () => {
    const first = apply(undefined, pod([{ name: 'c', image: 'i' }], { a: '1', b: '2' }), 'one')
    const both = apply(first, pod([{ name: 'c', image: 'i' }], { b: '2' }), 'two')
    const less = apply(both, pod([{ name: 'c', image: 'i' }]), 'one')
    expect(less.metadata.labels).toEqual({ b: '2' })
    expect(fieldsOf(less, 'two')).toMatchObject({ 'f:metadata': { 'f:labels': { 'f:b': {} } } })
  })

  it('removes a whole item with the fields that the server wrote into it', () => {
    const first = apply(
      undefined,
      pod([
        { name: 'a', image: 'i' },
        { name: 'b', image: 'i' },
      ]),
      'one',
    )
    for (const container of containers(first)) container.imagePullPolicy = 'Always'
    const less = apply(first, pod([{ name: 'a', image: 'i' }]), 'one')
    expect(containers(less)).toEqual([{ name: 'a', image: 'i', imagePullPolicy: 'Always' }])
  })

  it('refuses to change what another manager owns and names every field; by force it takes them over', () => {
    const first = apply(undefined, pod([{ name: 'c', image: 'i' }], { a: '1' }), 'one')
    const other = pod([{ name: 'c', image: 'other' }], { a: '2' })
    expect(() => apply(first, other, 'two')).toThrow(
      expect.objectContaining({
        code: 409,
        message:
          'Apply failed with 2 conflicts: conflicts with "one" using v1:\n- .metadata.labels.a\n- .spec.containers[name="c"].image',
      }),
    )
    const forced = apply(first, other, 'two', true)
    expect(containers(forced)).toEqual([{ name: 'c', image: 'other' }])
    expect(fieldsOf(forced, 'one')).toEqual({
      'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {} } } },
    })
  })

  it('shares fields that both managers want the same', () => {
    const first = apply(undefined, pod([{ name: 'c', image: 'i' }]), 'one')
    const shared = apply(first, pod([{ name: 'c', image: 'i' }]), 'two')
    expect(fieldsOf(shared, 'one')).toEqual(fieldsOf(shared, 'two'))
  })

  it('twice with the same words changes nothing, not even a time', () => {
    const config = pod([{ name: 'c', image: 'i' }], { a: '1' })
    const first = apply(undefined, config, 'one')
    ;(first.metadata.managedFields as { time: string }[])[0]!.time = '2020-01-01T00:00:00Z'
    expect(apply(first, config, 'one')).toEqual(first)
  })

  it('a field that an ordinary write changed belongs to that writer, and apply conflicts with it', () => {
    const first = apply(undefined, pod([{ name: 'c', image: 'i' }], { a: '1' }), 'one')
    const edited = update(first, 'editor', (draft) => {
      draft.metadata.labels = { a: 'edited', b: 'new' }
    })
    expect(fieldsOf(edited, 'editor')).toEqual({ 'f:metadata': { 'f:labels': { 'f:a': {}, 'f:b': {} } } })
    expect(fieldsOf(edited, 'one')).not.toHaveProperty('f:metadata')
    expect(() => apply(edited, pod([{ name: 'c', image: 'i' }], { a: '1' }), 'one')).toThrow(/conflict with "editor"/)
  })

  it('an ordinary write may reset or rewrite the record itself, as kubectl does when it takes objects over', () => {
    const first = apply(undefined, pod([{ name: 'c', image: 'i' }]), 'one')
    const reset = update(first, 'kubectl', (draft) => {
      draft.metadata.managedFields = [{}]
    })
    expect(reset.metadata.managedFields).toEqual([])
  })
})

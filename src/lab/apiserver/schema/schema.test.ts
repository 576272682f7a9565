import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../json.ts'
import { builtinSchemaName, schemas } from './builtin.ts'
import { parseDeclarations } from './declarations.ts'
import { findDuplicateKeys } from './duplicate-keys.ts'
import { pruneFields } from './fields.ts'
import { emptySource, type Schema } from './schema.ts'
import { applyDefaults } from './structural.ts'
import { createValidator, findSchemaFault } from './validator.ts'

describe('type declarations', () => {
  const text = `
    import { Time } from "../meta/v1";
    /** A thing. */
    export interface Thing {
      /**
       * First line.
       *   Second: line {with} punctuation;
       */
      name: string;
      readonly when?: Time;
      ports?: Array<number>;
      "dashed-name"?: boolean;
      labels?: { [name: string]: string; };
      value?: number | string;
    }
    export type Alias = string;`

  it('become schemas, with descriptions, required fields and bare references', () => {
    const { types, imports } = parseDeclarations(text)
    expect(imports.get('Time')).toBe('../meta/v1')
    expect(types.get('Alias')).toEqual({ type: 'string' })
    expect(types.get('Thing')).toEqual({
      description: 'A thing.',
      type: 'object',
      required: ['name'],
      properties: {
        name: { description: 'First line.\n  Second: line {with} punctuation;', type: 'string' },
        when: { $ref: 'Time' },
        ports: { type: 'array', items: { type: 'integer' } },
        'dashed-name': { type: 'boolean' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        value: { 'x-kubernetes-int-or-string': true },
      },
    })
  })

  it('of the built-in kinds are found with their merge keys', () => {
    const pod = schemas.find('io.k8s.api.core.v1.PodSpec')
    expect(pod?.properties?.containers).toMatchObject({
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
    })
    expect(schemas.find('io.k8s.api.core.v1.Nope')).toBeUndefined()
  })
})

describe('the shape of an object', () => {
  const typed = { schema: schemas.find(builtinSchemaName('', 'v1', 'Pod')) as Schema, source: schemas }

  it('loses unknown and null fields, and the unknown ones are named by their path', () => {
    const pod: JsonObject = {
      metadata: { name: 'a', lables: {} },
      spec: { nodeName: null, containers: [{ name: 'x', imag: 'y' }] },
    }
    expect(pruneFields(pod, typed, 'Pod').unknown).toEqual(['metadata.lables', 'spec.containers[0].imag'])
    expect(pod).toEqual({ metadata: { name: 'a' }, spec: { containers: [{ name: 'x' }] } })
  })

  it('is refused where a value has the wrong type', () => {
    const faults = pruneFields({ spec: { hostNetwork: 'yes', containers: {} } }, typed, 'Pod')
    expect(faults.mismatched).toEqual([
      'json: cannot unmarshal string into Go struct field Pod.spec.hostNetwork of type bool',
      'json: cannot unmarshal object into Go struct field Pod.spec.containers of type slice',
    ])
  })

  it('does not reach into free-form maps', () => {
    const pod: JsonObject = { metadata: { annotations: { anything: 'goes' } }, spec: { nodeSelector: { a: 'b' } } }
    expect(pruneFields(pod, typed, 'Pod')).toEqual({ unknown: [], mismatched: [] })
  })
})

describe('duplicate keys', () => {
  it.each([
    ['{"a":1,"b":{"a":2}}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"s":{"x":[{"y":1},{"y":1,"y":2}]}}', ['s.x[1].y']],
    ['{"a":"\\"a\\":","b":["a","a"]}', []],
  ])('of %s are found', (json, expected) => {
    expect(findDuplicateKeys(json)).toEqual(expected)
  })
})

describe('a structural schema', () => {
  const schema: Schema = {
    type: 'object',
    required: ['size'],
    properties: {
      size: { type: 'integer' },
      mode: { type: 'string', default: 'auto', enum: ['auto', 'off'] },
      nested: { type: 'object', default: {}, properties: { depth: { type: 'integer', default: 3 } } },
      list: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean', default: true } } } },
      port: { 'x-kubernetes-int-or-string': true },
      gone: { type: 'string', nullable: true },
    },
  }

  it('fills in defaults, nested ones and those of items too, and leaves what is set', () => {
    const value = { mode: 'off', list: [{}, { on: false }] }
    applyDefaults(value, { schema, source: emptySource })
    expect(value).toEqual({ mode: 'off', nested: { depth: 3 }, list: [{ on: true }, { on: false }] })
  })

  it('names every fault by field, as the Kubernetes API words it', () => {
    const messages = createValidator(schema)({ mode: 'on', list: [{ on: 1 }], port: [] }).map(
      ({ field, message }) => `${field}: ${message}`,
    )
    expect(messages).toEqual([
      'size: Required value',
      'mode: Unsupported value: "on": supported values: "auto", "off"',
      'list[0].on: Invalid value: "number": list[0].on in body must be of type boolean: "number"',
      'port: Invalid value: "array": port in body must be of type integer,string: "array"',
    ])
  })

  it('lets null pass where it is nullable and int-or-string be either', () => {
    const validate = createValidator(schema)
    expect(validate({ size: 1, gone: null, port: 80 })).toEqual([])
    expect(validate({ size: 1, port: 'http' })).toEqual([])
  })

  it('that cannot be used says why', () => {
    expect(findSchemaFault({ type: 'object', properties: { a: { type: 'string', pattern: '(' } as Schema } })).toMatch(
      /regular expression/i,
    )
    expect(findSchemaFault(schema)).toBeUndefined()
  })
})

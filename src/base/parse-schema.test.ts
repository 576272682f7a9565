import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { parseSchema } from './parse-schema.ts'

const schema = z.strictObject({ name: z.string(), ports: z.array(z.strictObject({ number: z.int() })).default([]) })

describe('parseSchema()', () => {
  test('gives the value with its defaults', () => {
    expect(parseSchema(schema, { name: 'a' })).toEqual({ name: 'a', ports: [] })
  })

  test('names the wrong field as it was written', () => {
    expect(() => parseSchema(schema, { name: 'a', ports: [{ number: 'x' }] }, { where: 'lab' })).toThrow(
      /^lab\.ports\[0\]\.number: .*number/,
    )
  })

  test('names an unknown field before the one that is missing because of it', () => {
    expect(() => parseSchema(schema, { nmae: 'a' })).toThrow(/^nmae: unknown field/)
  })

  test('names the whole when there is no field', () => {
    expect(() => parseSchema(schema, 7, { whole: 'lab.yaml' })).toThrow(/^lab\.yaml: /)
  })
})

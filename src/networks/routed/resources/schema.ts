import type { CustomResource, KubeObject, PrinterColumn } from '../../../kube/resources/meta.ts'

/** A node of a structural OpenAPI v3 schema. */
export type Schema = Record<string, unknown>

export const calicoGroup = 'projectcalico.org'
export const calicoVersion = 'v3'

export const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more })
export const flag = (description: string, more: Schema = {}): Schema => ({ type: 'boolean', description, ...more })
export const whole = (description: string, more: Schema = {}): Schema => ({ type: 'integer', description, ...more })
export const listOf = (description: string, items: Schema, more: Schema = {}): Schema => ({
  type: 'array',
  description,
  items,
  ...more,
})
export const record = (description: string, properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  type: 'object',
  description,
  properties,
  ...more,
})
export const mapOf = (description: string, values: Schema): Schema => ({
  type: 'object',
  description,
  additionalProperties: values,
})

/** An AS number of four bytes. */
export const asNumber = (description: string): Schema =>
  whole(description, { format: 'int64', minimum: 0, maximum: 4_294_967_295 })

/** Both fields at once are refused. */
export const notBoth = (one: string, other: string): Schema => ({ not: { required: [one, other] } })

/** The one field is refused without the other. */
export const needs = (one: string, other: string): Schema => ({
  anyOf: [{ not: { required: [one] } }, { required: [other] }],
})

/** Shape of an address prefix; whether it is a valid one is decided by the reader. */
export const cidrPattern = '^[0-9a-fA-F:.]+/[0-9]{1,3}$'

/** A cluster-scoped kind of projectcalico.org/v3. */
export function calicoResource<T extends KubeObject>(options: {
  kind: string
  plural: string
  shortNames: string[]
  description: string
  spec: Schema
  /** Present: written through the status subresource only. */
  status?: Schema
  printerColumns: PrinterColumn[]
}): CustomResource<T> {
  return {
    group: calicoGroup,
    version: calicoVersion,
    kind: options.kind,
    plural: options.plural,
    singular: options.kind.toLowerCase(),
    shortNames: options.shortNames,
    isNamespaced: false,
    hasStatus: options.status !== undefined,
    printerColumns: options.printerColumns,
    schema: {
      type: 'object',
      description: options.description,
      properties: {
        apiVersion: { type: 'string' },
        kind: { type: 'string' },
        metadata: { type: 'object' },
        spec: options.spec,
        ...(options.status === undefined ? {} : { status: options.status }),
      },
    },
  }
}

export const ageColumn: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

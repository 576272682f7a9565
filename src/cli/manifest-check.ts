import { closest } from '../base/closest.ts'
import type { KubeError } from '../kube/errors.ts'
import { isObject } from '../kube/patch.ts'
import type { CustomResource } from '../kube/resources/meta.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import { routedResources } from '../networks/routed/resources.ts'
import { isVirtualNode } from './kinds.ts'
import { ManifestError, type ManifestObject } from './manifest.ts'

type Path = readonly (string | number)[]

interface Schema {
  type?: string
  properties?: Record<string, Schema>
  additionalProperties?: unknown
  items?: Schema
  'x-kubernetes-preserve-unknown-fields'?: boolean
}

const text: Schema = { type: 'string' }

const virtualNodeSchema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        addresses: { type: 'array', items: { type: 'object', properties: { address: text, type: text } } },
        bgp: {
          type: 'object',
          properties: {
            asNumber: {},
            ipv4Address: text,
            ipv6Address: text,
            ipv4IPIPTunnelAddr: text,
            routeReflectorClusterID: text,
          },
        },
        ipv4VXLANTunnelAddr: text,
        vxlanTunnelMACAddr: text,
        ipv6VXLANTunnelAddr: text,
        vxlanTunnelMACAddrV6: text,
        orchRefs: { type: 'array', items: { type: 'object', properties: { nodeName: text, orchestrator: text } } },
      },
    },
    status: { type: 'object' },
  },
}

const schemas = new Map<string, Schema>(
  [...routedResources, networkAttachmentDefinitions].map((resource: CustomResource) => [
    `${resource.group}/${resource.version} ${resource.kind}`,
    resource.schema as Schema,
  ]),
)

/**
 * Refuses fields that our own kinds do not have, and values of the wrong type, before anything is sent. The API server
 * checks too, but it has not seen the file: it cannot say which line. Throws ManifestError.
 */
export function checkManifest(manifest: ManifestObject): void {
  const schema = schemaOf(manifest)
  if (schema === undefined) return
  const { apiVersion: _, kind: __, metadata: ___, ...content } = manifest.object
  checkFields(manifest, { ...schema, type: 'object' }, content, [])
}

/** Puts the line beside a field that the server has refused by name. */
export function locateServerError(manifest: ManifestObject, error: KubeError): Error {
  const fields = [
    ...(error.details?.causes ?? []).flatMap((cause) => (cause.field === undefined ? [] : [cause.field])),
    ...[...error.message.matchAll(/unknown field "([^"]+)"/g)].map((match) => match[1] ?? ''),
  ]
  const path = fields.map(parseFieldPath).find((candidate) => candidate.length > 0)
  if (path === undefined || ![400, 422].includes(error.statusCode)) return error
  return new ManifestError(manifest, path, error.said ?? error.message)
}

function schemaOf({ object }: ManifestObject): Schema | undefined {
  const [group = '', version = ''] = (object.apiVersion ?? '').split('/')
  if (version === 'v3' && isVirtualNode({ group, kind: object.kind ?? '' })) return virtualNodeSchema
  return schemas.get(`${object.apiVersion} ${object.kind}`)
}

function checkFields(manifest: ManifestObject, schema: Schema, value: unknown, path: Path): void {
  checkType(manifest, schema, value, path)
  if (Array.isArray(value) && schema.items !== undefined) {
    for (const [index, item] of value.entries()) checkFields(manifest, schema.items, item, [...path, index])
  }
  if (!isObject(value) || schema.properties === undefined) return
  for (const [key, item] of Object.entries(value)) {
    const field = schema.properties[key]
    if (field !== undefined) checkFields(manifest, field, item, [...path, key])
    else if (!isOpen(schema)) throw unknownField(manifest, [...path, key], Object.keys(schema.properties))
  }
}

function isOpen(schema: Schema): boolean {
  return schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties !== undefined
}

function unknownField(manifest: ManifestObject, path: Path, known: readonly string[]): ManifestError {
  const near = closest(String(path.at(-1)), known)
  const fix = near === undefined ? `known there: ${known.join(', ')}` : `did you mean "${near}"?`
  return new ManifestError(manifest, path, 'field is not recognized or is in the wrong location', { fix })
}

function checkType(manifest: ManifestObject, schema: Schema, value: unknown, path: Path): void {
  if (value === null || value === undefined || schema.type === undefined) return
  const actual = Array.isArray(value) ? 'array' : typeof value
  const isRight =
    schema.type === actual ||
    (actual === 'number' && (schema.type === 'number' || (schema.type === 'integer' && Number.isInteger(value))))
  if (isRight) return
  const fix = schema.type === 'string' ? { fix: `write it in quotes: "${String(value)}"` } : {}
  throw new ManifestError(
    manifest,
    path,
    `must be of type ${schema.type}, not ${actual}`,
    actual === 'object' ? {} : fix,
  )
}

/** `spec.ports[0].port` and `spec.containers[0]` as the server writes them. */
export function parseFieldPath(field: string): (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|\[([^\]]*)\]|([^.[\]]+)/g)].map(([, index, key, name]) =>
    index === undefined ? (key ?? name ?? '') : Number(index),
  )
}

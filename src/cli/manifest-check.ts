import { closest } from '../base/closest.ts'
import type { KubeError } from '../kube/errors.ts'
import { isObject } from '../kube/patch.ts'
import type { CustomResource } from '../kube/resources/meta.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import { drivers } from '../networks/registry.ts'
import { type VirtualNode, VirtualNodeError, virtualNodePatch } from '../networks/routed/virtual-node.ts'
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
        // What calicoctl prints of a node beside; nothing of it is written.
        wireguard: { 'x-kubernetes-preserve-unknown-fields': true },
        interfaces: {},
        orchRefs: { type: 'array', items: { type: 'object', properties: { nodeName: text, orchestrator: text } } },
      },
    },
    status: { 'x-kubernetes-preserve-unknown-fields': true },
  },
}

const schemas = new Map<string, Schema>(
  [...drivers.flatMap(({ resources }) => resources), networkAttachmentDefinitions].map((resource: CustomResource) => [
    `${resource.group}/${resource.version} ${resource.kind}`,
    resource.schema as Schema,
  ]),
)

/** Whether the kind is one that this program can judge without a cluster. */
export function isKnownKind(manifest: Pick<ManifestObject, 'object'>): boolean {
  return schemaOf(manifest) !== undefined
}

/** A kind of ours under an older or an internal version of its group. */
export function misplacedKind(manifest: ManifestObject): ManifestError | undefined {
  const { apiVersion = '', kind = '' } = manifest.object
  const isOld = apiVersion === 'crd.projectcalico.org/v1' || /^projectcalico\.org\/(?!v3$)/.test(apiVersion)
  const isOldest = apiVersion === 'v1' && ['ippool', 'bgppeer'].includes(kind.toLowerCase())
  if (!isOld && !isOldest) return undefined
  return new ManifestError(manifest, ['apiVersion'], `${kind} of ${apiVersion} is not what the API serves`, {
    fix: 'twinlane convert -f FILE writes it as projectcalico.org/v3',
  })
}

/**
 * Refuses what our own kinds cannot hold by their schemas, before anything is sent: fields that they do not have, missing
 * ones, values of a wrong type or out of range. The API server checks too, but it has not seen the file: it cannot say
 * which line. What a schema cannot say is the business of resource-check. Throws ManifestError.
 */
export async function checkManifest(manifest: ManifestObject): Promise<void> {
  checkNames(manifest)
  if (isVirtualNode(kindOf(manifest))) return checkNode(manifest)
  if (schemaOf(manifest) === undefined) return
  // What compiles schemas takes longer to load than a command that needs it not takes to run.
  const { createValidator } = await import('../lab/apiserver/schema/validator.ts')
  const faults = createValidator(schemaOf(manifest) as never)(manifest.object)
  const fault = faults.find(({ message }) => !/ must (NOT be valid|match a schema in anyOf)$/.test(message))
  if (fault === undefined) return
  const { field = '', message } = fault
  throw new ManifestError(manifest, parseFieldPath(field), message.replace(`${field} in body `, ''))
}

function checkNode(manifest: ManifestObject): void {
  try {
    virtualNodePatch(manifest.object as VirtualNode)
  } catch (error) {
    if (!(error instanceof VirtualNodeError)) throw error
    throw new ManifestError(manifest, parseFieldPath(error.field), error.message.slice(error.field.length + 2))
  }
}

/** Fields that there are not, and values of the wrong type. */
function checkNames(manifest: ManifestObject): void {
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

function kindOf({ object }: Pick<ManifestObject, 'object'>): { group: string; kind: string } {
  const [group = '', version = ''] = (object.apiVersion ?? '').split('/')
  return { group: version === 'v3' ? group : '', kind: object.kind ?? '' }
}

function schemaOf(manifest: Pick<ManifestObject, 'object'>): Schema | undefined {
  const { object } = manifest
  if (isVirtualNode(kindOf(manifest))) return virtualNodeSchema
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

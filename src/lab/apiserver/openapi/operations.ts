import { groupVersionOf, type Resource } from '../resources/resource.ts'
import { refPrefix } from '../schema/schema.ts'

const patchTypes = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
]

/** The paths of one kind as OpenAPI v3: what clients look up there are the actions, the patch types and the query parameters. */
export function pathsOf(resource: Resource, schemaName: string): Record<string, object> {
  const collection = collectionPath(resource)
  const item = `${collection}/{name}`
  const paths: Record<string, object> = {
    [collection]: { ...collectionOperations(resource, schemaName), parameters: placeParameters(resource, false) },
  }
  if (!resource.verbs.includes('get')) return paths
  const operations = itemOperations(resource, schemaName)
  paths[item] = { ...operations, parameters: placeParameters(resource, true) }
  if (resource.hasStatus) {
    const { get, put, patch } = operations
    paths[`${item}/status`] = { get, put, patch, parameters: placeParameters(resource, true) }
  }
  return paths
}

function collectionPath(resource: Resource): string {
  const root = resource.group === '' ? '/api/' : '/apis/'
  const scope = resource.isNamespaced ? '/namespaces/{namespace}' : ''
  return `${root}${groupVersionOf(resource)}${scope}/${resource.plural}`
}

function collectionOperations(resource: Resource, schemaName: string): Record<string, object> {
  const post = operation(resource, 'post', schemaName, {
    parameters: [...writeParameters],
    requestBody: bodyOf(['*/*'], schemaName),
  })
  if (!resource.verbs.includes('list')) return { post }
  return { get: operation(resource, 'list', schemaName, {}), post }
}

function itemOperations(resource: Resource, schemaName: string): Record<string, object> {
  const types = resource.isCustom ? patchTypes.filter((type) => !type.includes('strategic')) : patchTypes
  const patchSchema = 'io.k8s.apimachinery.pkg.apis.meta.v1.Patch'
  return {
    get: operation(resource, 'get', schemaName, {}),
    put: operation(resource, 'put', schemaName, {
      parameters: [...writeParameters],
      requestBody: bodyOf(['*/*'], schemaName),
    }),
    patch: operation(resource, 'patch', schemaName, {
      parameters: [...writeParameters, queryParameter('force', 'boolean')],
      requestBody: bodyOf(types, patchSchema),
    }),
    delete: operation(resource, 'delete', schemaName, { parameters: [queryParameter('dryRun', 'string')] }),
  }
}

function operation(resource: Resource, action: string, schemaName: string, more: object): object {
  return {
    description: `${action} ${resource.kind}`,
    operationId: `${action}${resource.group}${resource.version}${resource.kind}`.replaceAll(/\W/g, ''),
    ...more,
    responses: { 200: { description: 'OK', content: contentOf(['application/json'], schemaName) } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group: resource.group, version: resource.version, kind: resource.kind },
  }
}

function bodyOf(types: readonly string[], schemaName: string): object {
  return { content: contentOf(types, schemaName), required: true }
}

function contentOf(types: readonly string[], schemaName: string): object {
  return Object.fromEntries(types.map((type) => [type, { schema: { $ref: refPrefix + schemaName } }]))
}

const writeParameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => queryParameter(name, 'string'))

function queryParameter(name: string, type: string): object {
  return { name, in: 'query', schema: { type, uniqueItems: true } }
}

function placeParameters(resource: Resource, hasName: boolean): object[] {
  const names = [...(hasName ? ['name'] : []), ...(resource.isNamespaced ? ['namespace'] : [])]
  return names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } }))
}

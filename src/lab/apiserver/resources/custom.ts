import { customRules } from '../admission/custom-resource.ts'
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts'
import type { ApiObject } from '../object.ts'
import { objectSchemaOf } from '../schema/structural.ts'
import { customColumns } from '../tables/custom.ts'
import { everyVerb, type Resource, type Subresource } from './resource.ts'

/** The kinds that a CustomResourceDefinition serves, one a version. Empty while its names are not accepted. */
export function customResourcesOf(crd: ApiObject): Resource[] {
  if (!isEstablished(crd)) return []
  const versions = listAt(crd, 'spec', 'versions').filter(isObject)
  return versions.filter((version) => version.served === true).map((version) => resourceOf(crd, version))
}

function resourceOf(crd: ApiObject, version: JsonObject): Resource {
  const names = objectAt(crd, 'spec', 'names')
  const group = textAt(crd, 'spec', 'group') ?? ''
  const kind = textAt(names, 'kind') ?? ''
  const plural = textAt(names, 'plural') ?? ''
  const own = { group, version: textAt(version, 'name') ?? '', kind }
  const hasStatus = isObject(objectAt(version, 'subresources').status)
  const typed = objectSchemaOf(version, own)
  return {
    ...own,
    listKind: textAt(names, 'listKind') ?? `${kind}List`,
    plural,
    singular: textAt(names, 'singular') ?? kind.toLowerCase(),
    shortNames: listAt(names, 'shortNames') as string[],
    categories: listAt(names, 'categories') as string[],
    isNamespaced: textAt(crd, 'spec', 'scope') === 'Namespaced',
    hasStatus,
    isCustom: true,
    verbs: everyVerb,
    subresources: hasStatus ? [statusOf(own)] : [],
    collection: `${group}/${plural}`,
    columns: customColumns(listAt(version, 'additionalPrinterColumns')),
    rules: customRules(typed),
    schema: () => typed,
  }
}

function statusOf(own: { group: string; version: string; kind: string }): Subresource {
  return { ...own, name: 'status', verbs: ['get', 'patch', 'update'] }
}

function isEstablished(crd: ApiObject): boolean {
  const conditions = listAt(crd, 'status', 'conditions')
  return conditions.some((one) => textAt(one, 'type') === 'Established' && textAt(one, 'status') === 'True')
}

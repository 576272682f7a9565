import { isNotFound } from '../kube/errors.ts'
import type { ResourceType } from '../kube/resources/meta.ts'
import type { Transport } from '../kube/transport.ts'

interface GroupDiscovery {
  metadata?: { name?: string }
  versions?: { version: string; resources?: ResourceDiscovery[] }[]
}

interface ResourceDiscovery {
  resource: string
  responseKind?: { kind?: string }
  scope?: string
  singularResource?: string
  shortNames?: string[]
}

interface ApiResourceList {
  resources?: { name: string; singularName?: string; namespaced?: boolean; kind: string; shortNames?: string[] }[]
}

const aggregated = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',')

/** Every kind that the API server serves, the preferred version of a group first: two requests with servers since 1.27. */
export async function discoverKinds(transport: Transport): Promise<ResourceType[]> {
  const [core, groups] = await Promise.all([
    transport.json({ method: 'GET', path: '/api', headers: { accept: aggregated } }),
    transport.json({ method: 'GET', path: '/apis', headers: { accept: aggregated } }),
  ])
  const items = [core, groups].map((answer) => (answer as { items?: GroupDiscovery[] }).items)
  if (items.every((list) => list !== undefined)) return items.flatMap((list) => (list ?? []).flatMap(typesOfGroup))
  return discoverOneByOne(transport, groups)
}

function typesOfGroup(group: GroupDiscovery): ResourceType[] {
  return (group.versions ?? []).flatMap(({ version, resources }) =>
    (resources ?? []).map((resource) => ({
      group: group.metadata?.name ?? '',
      version,
      kind: resource.responseKind?.kind ?? '',
      plural: resource.resource,
      singular: resource.singularResource || (resource.responseKind?.kind ?? '').toLowerCase(),
      shortNames: resource.shortNames ?? [],
      isNamespaced: resource.scope === 'Namespaced',
    })),
  )
}

/** Older servers: one request a group and version. */
async function discoverOneByOne(transport: Transport, groups: unknown): Promise<ResourceType[]> {
  const list = (groups as { groups?: { name: string; versions?: { version: string }[] }[] }).groups ?? []
  const places = list.flatMap(({ name, versions }) => (versions ?? []).map(({ version }) => ({ group: name, version })))
  const found = await Promise.all(
    [{ group: '', version: 'v1' }, ...places].map((place) => discoverPlace(transport, place)),
  )
  return found.flat()
}

async function discoverPlace(transport: Transport, place: { group: string; version: string }): Promise<ResourceType[]> {
  const path = place.group === '' ? `/api/${place.version}` : `/apis/${place.group}/${place.version}`
  try {
    const { resources } = (await transport.json({ method: 'GET', path })) as ApiResourceList
    return (resources ?? [])
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, singularName, namespaced, kind, shortNames }) => ({
        ...place,
        kind,
        plural: name,
        singular: singularName || kind.toLowerCase(),
        shortNames: shortNames ?? [],
        isNamespaced: namespaced === true,
      }))
  } catch (error) {
    // An aggregated API whose backend is away must not take the others with it.
    if (isNotFound(error)) return []
    throw error
  }
}

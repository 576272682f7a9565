import type { Resource, Subresource } from './resources/resource.ts'
import type { Resources } from './resources/resources.ts'

/** What `kubectl version` shows; clients from 1.30 to 1.33 accept this skew. */
export const serverVersion = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.0+twinlane',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: 'linux/amd64',
}

/** The document at a discovery path and its content type, or undefined when the path is not one. */
export function discover(
  resources: Resources,
  pathname: string,
  accept: string,
): { json: string; contentType: string } | undefined {
  const aggregated = aggregatedVersion(accept)
  if (aggregated !== undefined && (pathname === '/api' || pathname === '/apis')) {
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`
    return { json: JSON.stringify(aggregatedList(resources, pathname === '/api', aggregated)), contentType }
  }
  const body = legacyDocument(resources, pathname.replace(/\/$/, ''))
  return body === undefined ? undefined : { json: JSON.stringify(body), contentType: 'application/json' }
}

function aggregatedVersion(accept: string): 'v2' | 'v2beta1' | undefined {
  if (!accept.includes('as=APIGroupDiscoveryList')) return undefined
  return /v=v2(?!beta)/.test(accept) ? 'v2' : 'v2beta1'
}

function aggregatedList(resources: Resources, isCore: boolean, version: string): object {
  const groups = groupsOf(resources).filter((group) => (group.name === '') === isCore)
  const items = groups.map(({ name, versions }) => ({
    metadata: { name, creationTimestamp: null },
    versions: versions.map((one) => ({
      version: one.version,
      freshness: 'Current',
      resources: one.resources.map(aggregatedResource),
    })),
  }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }
}

function aggregatedResource(resource: Resource): object {
  return {
    resource: resource.plural,
    responseKind: kindOf(resource),
    scope: resource.isNamespaced ? 'Namespaced' : 'Cluster',
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(resource.subresources.length === 0 ? {} : { subresources: resource.subresources.map(aggregatedSubresource) }),
  }
}

function aggregatedSubresource(one: Subresource): object {
  return { subresource: one.name, responseKind: kindOf(one), verbs: one.verbs }
}

function kindOf({ group, version, kind }: { group: string; version: string; kind: string }): object {
  return { group, version, kind }
}

function legacyDocument(resources: Resources, pathname: string): object | undefined {
  const groups = groupsOf(resources)
  if (pathname === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  const named = groups.filter((group) => group.name !== '').map(groupDocument)
  if (pathname === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: named }
  const parts = pathname.split('/').slice(1)
  const [name, version] = parts[0] === 'api' ? ['', parts[1]] : [parts[1], parts[2]]
  if (parts.length !== (parts[0] === 'api' ? 2 : version === undefined ? 2 : 3)) return undefined
  const group = groups.find((one) => one.name === name)
  if (group === undefined) return undefined
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) }
  const found = group.versions.find((one) => one.version === version)
  return found === undefined ? undefined : resourceList(name ?? '', version, found.resources)
}

function groupDocument({ name, versions }: Group): object {
  const list = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: list, preferredVersion: list[0] }
}

function resourceList(group: string, version: string, resources: readonly Resource[]): object {
  const groupVersion = group === '' ? version : `${group}/${version}`
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: resources.flatMap(legacyResources) }
}

function legacyResources(resource: Resource): object[] {
  const main = {
    name: resource.plural,
    singularName: resource.singular,
    namespaced: resource.isNamespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
  }
  const below = resource.subresources.map(({ name, kind, verbs }) => ({
    name: `${resource.plural}/${name}`,
    singularName: '',
    namespaced: resource.isNamespaced,
    kind,
    verbs,
  }))
  return [main, ...below]
}

interface Group {
  name: string
  versions: { version: string; resources: Resource[] }[]
}

/** Groups and their versions, the preferred version first. */
function groupsOf(resources: Resources): Group[] {
  const groups = new Map<string, Map<string, Resource[]>>()
  for (const resource of resources.all()) {
    const versions = groups.get(resource.group) ?? new Map<string, Resource[]>()
    groups.set(resource.group, versions)
    versions.set(resource.version, [...(versions.get(resource.version) ?? []), resource])
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions].sort(byMaturity).map(([version, list]) => ({ version, resources: list })),
  }))
}

/** v2 before v1 before v1beta2 before v1beta1 before v1alpha1. */
function byMaturity([a]: [string, unknown], [b]: [string, unknown]): number {
  const rank = (version: string): number => {
    const [, major = '0', stage = '', minor = '0'] = /^v(\d+)(alpha|beta)?(\d+)?$/.exec(version) ?? []
    const level = stage === '' ? 2 : stage === 'beta' ? 1 : 0
    return level * 1e6 + Number(major) * 1e3 + Number(minor)
  }
  return rank(b) - rank(a)
}

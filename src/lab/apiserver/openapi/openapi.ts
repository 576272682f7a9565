import { createHash } from 'node:crypto'
import { groupVersionOf, type Resource } from '../resources/resource.ts'
import type { Resources } from '../resources/resources.ts'
import { buildDocument } from './document.ts'

interface Document {
  readonly json: string
  readonly hash: string
}

/** The OpenAPI v3 documents, built when first asked for and again when the kinds have changed. */
export class OpenApi {
  readonly #resources: Resources
  #builtFor = -1
  #documents = new Map<string, Document>()

  constructor(resources: Resources) {
    this.#resources = resources
  }

  /** The document at `/openapi/v3` or `/openapi/v3/<group version>` as JSON text, or undefined. */
  find(pathname: string): string | undefined {
    const name = pathname.replace(/^\/openapi\/v3\/?/, '').replace(/\/$/, '')
    if (!pathname.startsWith('/openapi/v3')) return undefined
    return name === '' ? this.#index() : this.#all().get(name)?.json
  }

  /** The hash in the address lets clients keep a document until it changes. */
  #index(): string {
    const paths: Record<string, object> = {}
    for (const [name, { hash }] of this.#all()) {
      paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` }
    }
    return JSON.stringify({ paths })
  }

  /** A document whose kinds are as before is kept. */
  #all(): Map<string, Document> {
    if (this.#builtFor === this.#resources.version) return this.#documents
    const groups = groupByVersion(this.#resources.all())
    const before = this.#documents
    this.#documents = new Map([...groups].map(([name, list]) => [name, this.#build(list, before.get(name))]))
    this.#builtFor = this.#resources.version
    return this.#documents
  }

  #build(resources: readonly Resource[], before: Document | undefined): Document {
    if (before !== undefined && resources.every((resource) => !resource.isCustom)) return before
    const json = JSON.stringify(buildDocument(resources))
    return { json, hash: createHash('sha256').update(json).digest('hex').toUpperCase() }
  }
}

function groupByVersion(resources: readonly Resource[]): Map<string, Resource[]> {
  const groups = new Map<string, Resource[]>()
  for (const resource of resources) {
    const name = `${resource.group === '' ? 'api' : 'apis'}/${groupVersionOf(resource)}`
    groups.set(name, [...(groups.get(name) ?? []), resource])
  }
  return groups
}

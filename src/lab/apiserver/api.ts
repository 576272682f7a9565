import type { Log } from '../../base/log.ts'
import type { Connect } from '../outgoing.ts'
import type { RuleContext } from './admission/rules.ts'
import type { OpenApi } from './openapi/openapi.ts'
import type { Resource } from './resources/resource.ts'
import type { Resources } from './resources/resources.ts'
import type { Store } from './storage/store.ts'

/** What every verb works on. */
export interface Api extends RuleContext {
  readonly store: Store
  readonly resources: Resources
  readonly openApi: OpenApi
  readonly log: Log
  /** Unix socket of a node's kubelet, or undefined when there is no such node. */
  readonly kubeletSocket: (nodeName: string) => string | undefined
  /** How webhooks are reached. */
  readonly connect: Connect
}

/** A request about one kind, taken apart. */
export interface ResourceRequest {
  readonly method: string
  readonly resource: Resource
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: string | undefined
  readonly query: URLSearchParams
  readonly contentType: string
  readonly accept: string
  readonly user: User
  /** Who writes, when the request does not say: the user agent up to its slash. */
  readonly userAgent: string
}

/** Who the client certificate says the caller is. */
export interface User {
  readonly name: string
  readonly groups: readonly string[]
}

/** What a verb answers. */
export interface Answer {
  readonly code: number
  readonly body: object
  /** Sentences for `Warning` headers. */
  readonly warnings?: readonly string[]
}

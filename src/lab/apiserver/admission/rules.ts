import type { ApiObject } from '../object.ts'
import type { Cause } from '../status.ts'
import type { Store } from '../storage/store.ts'

/** What a rule may look at besides the object. */
export interface RuleContext {
  readonly store: Store
  readonly serviceCidr: string
}

/**
 * What a kind does beyond storing. All functions are synchronous, so that a write is one transaction, and may change
 * only `object`, which is a private copy.
 */
export interface Rules {
  /** Fills in what the client may leave out. Runs on create and update, before validation. */
  setDefaults?(object: ApiObject): void
  /** Sets what the server decides on create: status, allocations. May throw a StatusError. */
  prepareCreate?(object: ApiObject, context: RuleContext): void
  /** Carries over, or decides anew, what the server owns on update. May throw a StatusError. */
  prepareUpdate?(object: ApiObject, before: ApiObject, context: RuleContext): void
  /** Every fault of the object; `before` is there on update. */
  validate?(object: ApiObject, before: ApiObject | undefined, context: RuleContext): Cause[]
  /** Names allowed for objects of this kind. @default DNS-1123 subdomain */
  readonly nameFormat?: 'subdomain' | 'label' | 'service' | 'path'
  /** Whether the grace period of a deletion counts, as for pods. */
  graceSeconds?(object: ApiObject, asked: number | undefined): number
}

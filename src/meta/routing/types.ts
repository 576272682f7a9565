import type { Family } from '../../base/ip.ts'
import type { CniResult } from '../../cni/result.ts'

/** An attachment as far as routing is concerned. */
export interface RoutedAttachment {
  readonly ifName: string
  readonly networkName: string
  /** The pod's first interface. */
  readonly isDefault: boolean
  /** What its network reported. */
  readonly result: CniResult
  /** `default-route` of the pod's annotation. */
  readonly defaultRoute?: readonly string[] | undefined
  readonly routing: AttachmentRouting
}

/** What is decided about an attachment's routing once and recorded with it. */
export interface AttachmentRouting {
  /** Number of its routing table and priority of its rules; its own as long as the pod lives. */
  readonly table: number
  /** Prefixes that stay on the default network. */
  readonly keep: readonly string[]
  /** Prefixes that this attachment takes from the default network. */
  readonly take: readonly string[]
  /** Main-table routes of its interface as its plugins left them; absent for a network that reports all of its routes. */
  readonly installed?: readonly PlannedRoute[] | undefined
}

/** A route as kernel/kernel.ts has it. */
export interface PlannedRoute {
  readonly family: Family
  readonly destination: string
  readonly device: string
  readonly gateway?: string
  readonly source?: string
  readonly scope?: number
  readonly metric?: number
  readonly table?: number
}

export interface PlannedRule {
  readonly family: Family
  readonly priority: number
  readonly table: number
  readonly from: string
}

/** Operations of kernel/kernel.ts, in order, for the pod's namespace. */
export type RoutingOperation =
  | { readonly op: 'ensureRoute' | 'deleteRoute'; readonly route: PlannedRoute }
  | { readonly op: 'ensureRule' | 'deleteRule'; readonly rule: PlannedRule }

export interface RoutingPlan {
  readonly operations: readonly RoutingOperation[]
  /** The results as they are true afterwards, in the order of the attachments. */
  readonly results: readonly CniResult[]
  /** One sentence each, for a Warning event. */
  readonly warnings: readonly string[]
}

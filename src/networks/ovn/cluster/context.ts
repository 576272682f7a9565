import type { Log } from '../../../base/log.ts'
import type { Informer, KubeClient } from '../../../kube/api.ts'
import type { EventRecorder } from '../../../kube/events.ts'
import type { NodeResource, PodResource } from '../../../kube/resources/core.ts'
import type { NetworkAttachmentDefinition } from '../../../kube/resources/net-attach-def.ts'
import type { OvnSettings } from '../config.ts'
import type { NodeFacts } from '../topology/node.ts'
import type { Northbound } from './northbound.ts'

/** What the parts of the controller's side share. */
export interface ClusterContext {
  readonly settings: OvnSettings
  readonly northbound: Northbound
  readonly kube: KubeClient
  readonly log: Log
  readonly events: EventRecorder
  readonly pods: Informer<PodResource>
  readonly nodes: Informer<NodeResource>
  readonly nads: Informer<NetworkAttachmentDefinition>
  /** Nodes that have a subnet and a number. */
  nodeFacts(): readonly NodeFacts[]
  /** The addresses, one a family, that pods of this node have outside; empty unless each has its own source NAT rows. */
  natAddressesOf(node: string): readonly string[]
}

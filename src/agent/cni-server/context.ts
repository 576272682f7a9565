import type { Calm } from '../../base/calm.ts'
import type { KeyedLock } from '../../base/keyed-lock.ts'
import type { Log } from '../../base/log.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Informer, KubeClient } from '../../kube/api.ts'
import type { EventRecorder } from '../../kube/events.ts'
import type { PodResource } from '../../kube/resources/core.ts'
import type { NetworkAttachmentDefinition } from '../../kube/resources/net-attach-def.ts'
import type { NodePaths } from '../../networks/driver.ts'
import type { AttachmentStore } from '../attachment-store.ts'
import type { Devices } from '../devices/devices.ts'
import type { Networks } from '../networks.ts'
import type { StatusWriter } from '../status-writer.ts'

/** What the verbs work with. */
export interface CniContext {
  readonly kube: KubeClient
  readonly kernel: Kernel
  readonly pods: Informer<PodResource>
  readonly definitions: Informer<NetworkAttachmentDefinition>
  readonly networks: Networks
  readonly devices: Devices
  readonly store: AttachmentStore
  readonly events: EventRecorder
  readonly calm: Calm
  /** By container ID: what is done to one container is done one after the other. */
  readonly containers: KeyedLock
  readonly statusWriter: StatusWriter
  readonly log: Log
  readonly paths: NodePaths
}

import type { NetworkConfig } from '../cni/request.ts'
import type { KubeClient } from '../kube/api.ts'
import type { NodeResource, PodResource } from '../kube/resources/core.ts'

/** What a preview works with. */
export interface PreviewSources {
  readonly kube: Pick<KubeClient, 'list' | 'find'>
  /** The meta-plugin's configuration, as in the first file of `net.d`. */
  readonly netConf: NetworkConfig
  /** Raw settings by driver name, as in the agent's configuration file. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly pod: PodResource
  readonly nodes: readonly NodeResource[]
}

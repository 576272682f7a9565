import type { CustomResource } from '../../kube/resources/meta.ts'

/** The cluster network needs no kinds of its own: nodes, pods and NetworkAttachmentDefinitions carry everything. */
export const ovnResources: readonly CustomResource[] = []

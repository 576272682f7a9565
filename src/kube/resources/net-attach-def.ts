import type { CustomResource, KubeObject } from './meta.ts'

/** NetworkAttachmentDefinition of the Network Plumbing Working Group's standard v1.3. */
export interface NetworkAttachmentDefinition extends KubeObject {
  spec?: { config?: string }
}

/** Annotations of the standard and of Multus, on pods and on NADs. */
export const networksAnnotation = 'k8s.v1.cni.cncf.io/networks'
export const networkStatusAnnotation = 'k8s.v1.cni.cncf.io/network-status'
export const defaultNetworkAnnotation = 'v1.multus-cni.io/default-network'
const resourceNameAnnotation = 'k8s.v1.cni.cncf.io/resourceName'

/** The device plugin's resource whose devices a network is made of, e.g. intel.com/sriov. */
export function resourceNameOf(definition: NetworkAttachmentDefinition): string | undefined {
  const name = definition.metadata.annotations?.[resourceNameAnnotation]?.trim()
  return name === '' ? undefined : name
}

export const networkAttachmentDefinitions: CustomResource<NetworkAttachmentDefinition> = {
  group: 'k8s.cni.cncf.io',
  version: 'v1',
  kind: 'NetworkAttachmentDefinition',
  plural: 'network-attachment-definitions',
  singular: 'network-attachment-definition',
  shortNames: ['net-attach-def', 'nad'],
  isNamespaced: true,
  hasStatus: false,
  printerColumns: [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }],
  schema: {
    type: 'object',
    description: 'A network that pods can ask for with the annotation k8s.v1.cni.cncf.io/networks.',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: {
        type: 'object',
        description: 'What the network is.',
        properties: {
          config: {
            type: 'string',
            description:
              'A CNI configuration or configuration list as JSON text. Empty: looked up by name on the node.',
          },
        },
      },
    },
  },
}

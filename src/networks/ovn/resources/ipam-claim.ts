import type { CustomResource, KubeObject } from '../../../kube/resources/meta.ts'

/** Addresses that outlive the pod they were given to (Network Plumbing Working Group). */
export interface IpamClaim extends KubeObject {
  spec?: {
    /** Name of the network. */
    network?: string
    /** Of the pod. */
    interface?: string
  }
  status?: {
    /** With their length, e.g. `10.1.0.5/24`. */
    ips?: string[]
  }
}

export const ipamClaims: CustomResource<IpamClaim> = {
  group: 'k8s.cni.cncf.io',
  version: 'v1alpha1',
  kind: 'IPAMClaim',
  plural: 'ipamclaims',
  singular: 'ipamclaim',
  shortNames: [],
  isNamespaced: true,
  hasStatus: true,
  printerColumns: [
    { name: 'Network', type: 'string', jsonPath: '.spec.network' },
    { name: 'IPs', type: 'string', jsonPath: '.status.ips' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
  schema: {
    type: 'object',
    description: 'Addresses on one network that outlive the pod that they were given to.',
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: {
        type: 'object',
        description: 'What the addresses are for.',
        required: ['network', 'interface'],
        properties: {
          network: { type: 'string', description: 'Name of the network, as its configuration has it.' },
          interface: { type: 'string', description: 'Interface of the pod.' },
        },
      },
      status: {
        type: 'object',
        description: 'What was given; written by the network.',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: {
          ips: { type: 'array', description: 'Addresses with their length.', items: { type: 'string' } },
        },
      },
    },
  },
}

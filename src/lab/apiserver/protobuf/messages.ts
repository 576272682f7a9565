/** Field numbers of the messages that kubectl sends as protobuf: facts of the Kubernetes API's .proto files. */
export type Message = { readonly [fieldNumber: number]: readonly [name: string, type: FieldType] }

type Single = 'string' | 'int' | 'bool' | 'bytes' | 'intOrString' | 'map' | 'bytesMap' | Message
/** An array of one type stands for a repeated field. */
export type FieldType = Single | readonly [Single]

const ownerReference: Message = {
  1: ['kind', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['controller', 'bool'],
  7: ['blockOwnerDeletion', 'bool'],
}

const metadata: Message = {
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: ['ownerReferences', [ownerReference]],
  14: ['finalizers', ['string']],
}

const localReference: Message = { 1: ['name', 'string'] }
const objectReference: Message = {
  1: ['kind', 'string'],
  2: ['namespace', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
}

const servicePort: Message = {
  1: ['name', 'string'],
  2: ['protocol', 'string'],
  3: ['port', 'int'],
  4: ['targetPort', 'intOrString'],
  5: ['nodePort', 'int'],
  6: ['appProtocol', 'string'],
}

const serviceSpec: Message = {
  1: ['ports', [servicePort]],
  2: ['selector', 'map'],
  3: ['clusterIP', 'string'],
  4: ['type', 'string'],
  5: ['externalIPs', ['string']],
  7: ['sessionAffinity', 'string'],
  10: ['externalName', 'string'],
  17: ['ipFamilyPolicy', 'string'],
  18: ['clusterIPs', ['string']],
  19: ['ipFamilies', ['string']],
}

const accessReviewSpec: Message = {
  1: [
    'resourceAttributes',
    {
      1: ['namespace', 'string'],
      2: ['verb', 'string'],
      3: ['group', 'string'],
      4: ['version', 'string'],
      5: ['resource', 'string'],
      6: ['subresource', 'string'],
      7: ['name', 'string'],
    },
  ],
  2: ['nonResourceAttributes', { 1: ['path', 'string'], 2: ['verb', 'string'] }],
}

const deleteOptions: Message = {
  1: ['gracePeriodSeconds', 'int'],
  2: ['preconditions', { 1: ['uid', 'string'], 2: ['resourceVersion', 'string'] }],
  4: ['propagationPolicy', 'string'],
  5: ['dryRun', ['string']],
}

/** By kind. */
export const messages: Readonly<Record<string, Message>> = {
  Namespace: { 1: ['metadata', metadata], 2: ['spec', { 1: ['finalizers', ['string']] }] },
  ConfigMap: {
    1: ['metadata', metadata],
    2: ['data', 'map'],
    3: ['binaryData', 'bytesMap'],
    4: ['immutable', 'bool'],
  },
  Secret: {
    1: ['metadata', metadata],
    2: ['data', 'bytesMap'],
    3: ['type', 'string'],
    4: ['stringData', 'map'],
    5: ['immutable', 'bool'],
  },
  ServiceAccount: {
    1: ['metadata', metadata],
    2: ['secrets', [objectReference]],
    3: ['imagePullSecrets', [localReference]],
    4: ['automountServiceAccountToken', 'bool'],
  },
  Service: { 1: ['metadata', metadata], 2: ['spec', serviceSpec] },
  Binding: { 1: ['metadata', metadata], 2: ['target', objectReference] },
  Eviction: { 1: ['metadata', metadata], 2: ['deleteOptions', deleteOptions] },
  DeleteOptions: deleteOptions,
  SelfSubjectReview: { 1: ['metadata', metadata] },
  SelfSubjectAccessReview: { 1: ['metadata', metadata], 2: ['spec', accessReviewSpec] },
}

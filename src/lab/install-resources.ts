import { stringify } from 'yaml'
import { retry } from '../base/retry.ts'
import type { KubeClient } from '../kube/api.ts'
import { isAlreadyExists, isNotFound } from '../kube/errors.ts'
import type { CustomResource, KubeObject, ResourceType } from '../kube/resources/meta.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import { drivers } from '../networks/registry.ts'

const definitions: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'],
  isNamespaced: false,
}

/** The kinds of all networks, and the NetworkAttachmentDefinition. */
const resources: readonly CustomResource[] = [
  networkAttachmentDefinitions,
  ...drivers.flatMap((driver) => driver.resources),
]

/** Creates the CRDs; resolves when the API serves them. */
export async function installResources(kube: KubeClient): Promise<void> {
  await Promise.all(resources.map((resource) => installResource(kube, resource)))
}

/** The CRDs as a file for kubectl. */
export function renderDefinitions(): string {
  const head = '# Made by `npm run crds`.\n'
  return head + resources.map((resource) => stringify(buildDefinition(resource), { lineWidth: 0 })).join('---\n')
}

async function installResource(kube: KubeClient, resource: CustomResource): Promise<void> {
  try {
    await kube.create(definitions, buildDefinition(resource))
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
  }
  await retry(() => kube.list(resource), { attempts: 20, minDelayMs: 10, maxDelayMs: 500, retryable: isNotFound })
}

/** A resource as apiextensions.k8s.io/v1 describes it. */
export function buildDefinition(resource: CustomResource): KubeObject {
  const { group, version, kind, plural, singular, shortNames } = resource
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: resource.isNamespaced ? 'Namespaced' : 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames: [...shortNames] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: resource.schema },
          ...(resource.hasStatus ? { subresources: { status: {} } } : {}),
          additionalPrinterColumns: [...resource.printerColumns],
        },
      ],
    },
  }
  return definition
}

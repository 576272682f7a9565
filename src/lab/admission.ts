import { TwinlaneError } from '../base/errors.ts'
import { retry } from '../base/retry.ts'
import type { KubeClient } from '../kube/api.ts'
import { isAlreadyExists, isForbidden } from '../kube/errors.ts'
import type { KubeObject, ResourceType } from '../kube/resources/meta.ts'
import { controlPlaneOf, type LabConfig, managementAddress } from './config.ts'

/** Port of the controller's webhook on the control-plane node. */
export const admissionPort = 9443

const configurations: ResourceType<WebhookConfiguration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  singular: 'validatingwebhookconfiguration',
  shortNames: [],
  isNamespaced: false,
}
const name = 'twinlane'

interface WebhookConfiguration extends KubeObject {
  webhooks: readonly object[]
}

/** Has the API server ask the controller's webhook, or no longer, as lab.yaml says. `ca` is the PEM of its authority. */
export async function registerAdmission(kube: KubeClient, config: LabConfig, ca: string): Promise<void> {
  if (!config.admission) return await kube.delete(configurations, name, { ignoreNotFound: true })
  const wanted = admissionConfiguration(config, ca)
  try {
    await kube.create(configurations, wanted)
  } catch (error) {
    if (!isAlreadyExists(error)) throw error
    const { metadata } = await kube.get(configurations, name)
    await kube.update(configurations, { ...wanted, metadata })
  }
}

/** What deploy/admission.yaml registers, by the webhook's address instead of its service. */
export function admissionConfiguration(config: LabConfig, ca: string): WebhookConfiguration {
  const host = managementAddress(config, controlPlaneOf(config))
  const rule = { apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'] }
  return {
    metadata: { name },
    webhooks: [
      {
        name: 'networks.twinlane.io',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        failurePolicy: 'Ignore',
        timeoutSeconds: 2,
        clientConfig: {
          url: `https://${host}:${admissionPort}/validate`,
          caBundle: Buffer.from(ca).toString('base64'),
        },
        rules: [
          { ...rule, apiGroups: ['k8s.cni.cncf.io'], resources: ['network-attachment-definitions'] },
          { ...rule, apiGroups: [''], resources: ['pods'] },
          {
            ...rule,
            apiGroups: ['projectcalico.org'],
            apiVersions: ['v3'],
            resources: [
              ...['ippools', 'ipreservations', 'ipamconfigurations'],
              ...['bgpconfigurations', 'bgppeers', 'bgpfilters'],
            ],
          },
          { ...rule, apiGroups: ['k8s.ovn.org'], resources: ['userdefinednetworks', 'clusteruserdefinednetworks'] },
        ],
      },
    ],
  }
}

/** Resolves when the API server refuses by the webhook what the webhook is there to refuse. */
export async function waitForAdmission(kube: KubeClient, signal: AbortSignal): Promise<void> {
  const wrong = { metadata: { name: 'not-json' }, spec: { config: '{' } }
  const path = '/apis/k8s.cni.cncf.io/v1/namespaces/default/network-attachment-definitions?dryRun=All'
  const tryWrong = async (): Promise<void> => {
    const isRefused = await kube.raw('POST', path, wrong).then(() => false, isWebhooksRefusal)
    if (!isRefused)
      throw new TwinlaneError('the webhook of the controller does not answer', { fix: 'Look at its log.' })
  }
  await retry(tryWrong, { attempts: 40, minDelayMs: 20, maxDelayMs: 500, signal })
}

function isWebhooksRefusal(error: unknown): boolean {
  if (isForbidden(error)) return true
  throw error
}

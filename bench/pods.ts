import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { waitFor } from '../src/base/observable.ts'
import { type PodResource, pods } from '../src/kube/resources/core.ts'
import {
  type NetworkAttachmentDefinition,
  networkAttachmentDefinitions,
  networkStatusAnnotation,
  networksAnnotation,
} from '../src/kube/resources/net-attach-def.ts'
import type { BenchLab } from './lab.ts'

const namespace = 'default'
const timeoutMs = 60_000
const script = "trap 'exit 0' TERM; sleep 36000 & wait"

/** Applies the article's network, which pods get as eth1. */
export async function createNetwork({ kube }: BenchLab): Promise<void> {
  const text = await readFile(join(import.meta.dirname, '../examples/article/yusur-ovn.yaml'), 'utf8')
  await kube.create(networkAttachmentDefinitions, parse(text) as NetworkAttachmentDefinition)
}

/** Makes a pod with both networks and resolves once it is Ready and has both NICs, with the time since its creation. */
export async function startPod(lab: BenchLab, name: string, node: string): Promise<{ readyMs: number }> {
  const startedAt = performance.now()
  await lab.kube.create(pods, buildPod(name, node))
  const look = (): true | undefined => (isReady(lab.pods.get(name, namespace)) ? true : undefined)
  await waitFor(lab.pods, look, { what: `pod ${name} to be Ready with both NICs`, timeoutMs })
  return { readyMs: performance.now() - startedAt }
}

/** Deletes a pod and resolves once it is gone, which is after its CNI DEL. */
export async function removePod(lab: BenchLab, name: string): Promise<void> {
  await lab.kube.delete(pods, name, { namespace })
  const look = (): true | undefined => (lab.pods.get(name, namespace) === undefined ? true : undefined)
  await waitFor(lab.pods, look, { what: `pod ${name} to be gone`, timeoutMs })
}

/**
 * The article's pod, with annotation in proper JSON. It ends at once when told to. A grace of zero would not do: such
 * a pod leaves the API before its DEL, which would then run beside the next pod's ADD.
 */
function buildPod(name: string, node: string): PodResource {
  const networks = JSON.stringify([{ name: 'yusur-ovn', interface: 'eth1', 'default-route': ['10.144.0.1'] }])
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: { [networksAnnotation]: networks } },
    spec: {
      containers: [{ name: 'busybox', image: 'busybox:1.28', command: ['/bin/sh', '-c', script] }],
      nodeSelector: { 'kubernetes.io/hostname': node },
      terminationGracePeriodSeconds: 30,
    },
  }
}

function isReady(pod: PodResource | undefined): boolean {
  const ready = pod?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
  const networks = pod?.metadata.annotations?.[networkStatusAnnotation]
  if (!ready || networks === undefined) return false
  const interfaces = (JSON.parse(networks) as { interface?: string }[]).map((each) => each.interface)
  return ['eth0', 'eth1'].every((name) => interfaces.includes(name))
}

import { waitFor } from '../src/base/observable.ts'
import { type PodResource, pods } from '../src/kube/resources/core.ts'
import { networksAnnotation } from '../src/kube/resources/net-attach-def.ts'
import type { JobResult } from './cni-runner.ts'
import type { Executions } from './execute-for-all.ts'
import { type BenchLab, withLab } from './lab.ts'
import { runOnNode, withoutKubelet } from './node.ts'
import { measureOvnPort, type OvnPortMeasurement } from './ovn-port.ts'
import { createNetwork } from './pods.ts'

const node = 'work01'
const namespace = 'default'

/** The article's network by itself: a call for this one attachment. */
const config = { cniVersion: '0.4.0', name: 'ovn-kubernetes', type: 'ovn-k8s-cni-overlay' }

/** A node on which this process alone calls the CNI plugin, for pods with a NIC of the OVN network. */
export interface OvnNicsNode {
  readonly ovn: OvnPortMeasurement
  /** Creates pods `<prefix>-<n>`. */
  createPods(prefix: string, count: number): Promise<void>
  /** Resolves when the controller has given each of them its address. */
  addressesGiven(prefix: string, count: number): Promise<void>
  add(prefix: string, count: number, isBurst: boolean): Promise<Executions>
}

export function withOvnNics<T>(task: (node: OvnNicsNode) => Promise<T>): Promise<T> {
  return withLab(async (lab) => {
    await createNetwork(lab)
    return await withoutKubelet(lab, node, async () => {
      const ovn = await measureOvnPort(lab, node)
      try {
        return await task({
          ovn,
          createPods: (prefix, count) => createPods(lab, namesOf(prefix, count)),
          addressesGiven: (prefix, count) => addressesGiven(lab, namesOf(prefix, count)),
          add: (prefix, count, isBurst) => add(lab, { prefix, count, isBurst }),
        })
      } finally {
        await ovn.close()
      }
    })
  })
}

function namesOf(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
}

async function createPods({ kube }: BenchLab, names: readonly string[]): Promise<void> {
  await Promise.all(names.map((name) => kube.create(pods, podOf(name))))
}

async function addressesGiven(lab: BenchLab, names: readonly string[]): Promise<void> {
  const isGiven = (name: string): boolean =>
    lab.pods.get(name, namespace)?.metadata.annotations?.['k8s.ovn.org/pod-networks'] !== undefined
  const look = (): true | undefined => names.every(isGiven) || undefined
  await waitFor(lab.pods, look, { what: 'the addresses of all pods', timeoutMs: 60_000 })
}

async function add(lab: BenchLab, job: { prefix: string; count: number; isBurst: boolean }): Promise<Executions> {
  const { calls } = await runOnNode<JobResult>(lab, node, {
    program: 'cni-runner',
    job: { ...job, config, plugin: config.type, verbs: ['ADD', 'DEL'] },
  })
  const executions = calls.ADD
  if (executions === undefined) throw new Error('the runner has made no ADD')
  return executions
}

function podOf(name: string): PodResource {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: { [networksAnnotation]: 'yusur-ovn@eth1' } },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'busybox:1.28' }] },
  }
}

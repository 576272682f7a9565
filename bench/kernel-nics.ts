import { type PodResource, pods } from '../src/kube/resources/core.ts'
import { networkAttachmentDefinitions, networksAnnotation } from '../src/kube/resources/net-attach-def.ts'
import { ipPools } from '../src/networks/routed/resources.ts'
import { type AgentUse, agentUse } from './agent-use.ts'
import type { Job, JobResult } from './cni-runner.ts'
import { type BenchLab, processOf, withLab } from './lab.ts'
import { runOnNode, withoutKubelet, withoutOpenVSwitch } from './node.ts'

const node = 'work01'
const namespace = 'default'

/** As the agent writes it into net.d. */
const config = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: 'twinlane',
  delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
}

/** A node on which this process alone calls the CNI plugin, for pods with two NICs of the routed network. */
export interface KernelNicsNode {
  /** Creates pods `<prefix>-<n>` and resolves when the API has them. */
  createPods(prefix: string, count: number): Promise<void>
  run(job: Omit<Job, 'config'>): Promise<JobResult>
  /** The same while Open vSwitch runs, as on a node that has the OVN network too. */
  runBesideOpenVSwitch(job: Omit<Job, 'config'>): Promise<JobResult>
  agentUse(): Promise<AgentUse>
}

/** Runs the task on a node of the article's lab whose kubelet is stopped, so that only the bench attaches pods. */
export function withKernelNics<T>(task: (node: KernelNicsNode) => Promise<T>): Promise<T> {
  return withLab(async (lab) => {
    await createSecondNetwork(lab)
    return await withoutKubelet(lab, node, () =>
      task({
        createPods: (prefix, count) => createPods(lab, prefix, count),
        run: (job) => withoutOpenVSwitch(lab, node, () => runner(lab, job)),
        runBesideOpenVSwitch: (job) => runner(lab, job),
        agentUse: () => agentUse(processOf(lab, node, 'agent')),
      }),
    )
  })
}

function runner(lab: BenchLab, job: Omit<Job, 'config'>): Promise<JobResult> {
  return runOnNode(lab, node, { program: 'cni-runner', job: { ...job, config } })
}

async function createSecondNetwork({ kube }: BenchLab): Promise<void> {
  await kube.create(ipPools, {
    metadata: { name: 'second' },
    spec: { cidr: '10.245.0.0/16', blockSize: 24, ipipMode: 'Never', vxlanMode: 'Never', nodeSelector: '!all()' },
  })
  const network = {
    cniVersion: '1.0.0',
    name: 'second',
    type: 'calico',
    ipam: { type: 'calico-ipam', ipv4_pools: ['second'] },
  }
  await kube.create(networkAttachmentDefinitions, {
    metadata: { name: 'second', namespace },
    spec: { config: JSON.stringify(network) },
  })
}

async function createPods(lab: BenchLab, prefix: string, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`)
  await Promise.all(names.map((name) => lab.kube.create(pods, podOf(name))))
}

function podOf(name: string): PodResource {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, annotations: { [networksAnnotation]: 'second@eth1' } },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'busybox:1.28' }] },
  }
}

import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { exec } from '../src/base/exec.ts'
import { type PodResource, pods } from '../src/kube/resources/core.ts'
import { networkAttachmentDefinitions, networksAnnotation } from '../src/kube/resources/net-attach-def.ts'
import { enterArguments } from '../src/lab/node/command.ts'
import { ipPools } from '../src/networks/routed/resources.ts'
import type { Job, JobResult } from './cni-runner.ts'
import { type BenchLab, processOf, withLab } from './lab.ts'

const node = 'work01'
const namespace = 'default'
const root = resolve(import.meta.dirname, '..')

/** As the agent writes it into net.d. */
const config = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: 'twinlane',
  delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
}

/** The agent's use of the machine between two moments. */
export interface AgentUse {
  readonly cpuMs: number
  readonly residentMb: number
}

/** A node on which this process alone calls the CNI plugin, for pods with two NICs of the routed network. */
export interface KernelNicsNode {
  /** Creates pods `<prefix>-<n>` and resolves when the API has them. */
  createPods(prefix: string, count: number): Promise<void>
  run(job: Omit<Job, 'config'>): Promise<JobResult>
  agentUse(): Promise<AgentUse>
}

/** Runs the task on a node of the article's lab whose kubelet is stopped, so that only the bench attaches pods. */
export function withKernelNics<T>(task: (node: KernelNicsNode) => Promise<T>): Promise<T> {
  return withLab(async (lab) => {
    await createSecondNetwork(lab)
    const kubelet = processOf(lab, node, 'kubelet')
    process.kill(kubelet, 'SIGSTOP')
    try {
      return await task({
        createPods: (prefix, count) => createPods(lab, prefix, count),
        run: (job) => runOnNode(lab, { ...job, config }),
        agentUse: () => agentUse(processOf(lab, node, 'agent')),
      })
    } finally {
      process.kill(kubelet, 'SIGCONT')
      // nsenter stops with its child, and does not go on with it.
      process.kill(await parentOf(kubelet), 'SIGCONT')
    }
  })
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

async function runOnNode({ status }: BenchLab, job: Job): Promise<JobResult> {
  const init = status.nodes.find(({ name }) => name === node)?.init.pid
  if (init === undefined) throw new Error(`the lab has no node ${node}`)
  const tsx = resolve(root, 'node_modules/tsx/dist/cli.mjs')
  const command = [process.execPath, tsx, resolve(root, 'bench/cni-runner.ts'), JSON.stringify(job)]
  const { stdout } = await exec('nsenter', enterArguments(init, command), { timeoutMs: 300_000 })
  return JSON.parse(stdout) as JobResult
}

async function parentOf(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')[1])
}

const clockTicksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

async function agentUse(pid: number): Promise<AgentUse> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return { cpuMs: (ticks * 1000) / clockTicksPerSecond, residentMb: (Number(kibibytes) * 1024) / 1e6 }
}

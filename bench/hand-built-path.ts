import type { ChildProcess } from 'node:child_process'
import { spawnProcess } from '../src/base/exec.ts'
import type { Operation, Rule } from '../src/kernel/kernel.ts'
import { createKernel } from '../src/kernel/linux.ts'
import type { BenchLab } from './lab.ts'

/** A place that a program can be run in, and how it is called there. */
export interface PathEnd {
  /** A network namespace. */
  readonly netns: string
  readonly address: string
}

const bridge = 'br-ens2'

/** Three such paths can be there at once. */
export type Path = 0 | 1 | 2

/** What else the hosts of a path do, as a node of the cluster does. */
export interface HostDuties {
  /** A rule for what leaves the cluster: the kernel then tracks connections. */
  readonly masquerades?: boolean
  /** The routing rules that the OVN network has on a node: each lookup of a route passes them, on whosever's behalf. */
  readonly hasRules?: boolean
}

/** As many, and of the kinds, as a node of the article has; no packet of the path meets one. */
const rules: readonly Operation[] = [
  { family: 4, priority: 14400, table: 254, inputDevice: 'ovn-k8s-mp0', suppressPrefixLength: 0 },
  { family: 4, priority: 14401, table: 14400, inputDevice: 'ovn-k8s-mp0' },
  { family: 4, priority: 14402, table: 254, from: '192.0.2.1/32', suppressPrefixLength: 0 },
  { family: 4, priority: 14403, table: 14400, from: '192.0.2.1/32' },
].map((rule): Operation => ({ op: 'ensureRule', rule: rule as Rule }))

/** What natOutgoing asks for, in a table of one rule: the kernel then tracks connections on the host. */
const masquerading = `table inet hand {
  chain outgoing {
    type nat hook postrouting priority srcnat
    ip saddr 10.250.0.0/16 ip daddr != 10.250.0.0/16 masquerade
  }
}`

/**
 * Two more hosts on the lab's fabric, each with a pod, as somebody who knows the kernel would set them up: veths,
 * forwarding and a static route, and the duties. No agent, no BIRD. Everything is gone with the processes that hold the
 * namespaces, after the task.
 */
export async function withHandBuiltPath<T>(
  lab: BenchLab,
  options: { path: Path } & HostDuties,
  task: (from: PathEnd, to: PathEnd) => Promise<T>,
): Promise<T> {
  const holders: ChildProcess[] = []
  const kernel = createKernel()
  const netns = async (): Promise<string> => {
    const holder = spawnProcess('unshare', ['--net', 'sh', '-c', 'echo ready; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    holders.push(holder)
    await new Promise((resolve) => holder.stdout?.once('data', resolve))
    return `/proc/${holder.pid}/ns/net`
  }
  try {
    const fabric = `/proc/${lab.status.fabric?.pid}/ns/net`
    const ends: PathEnd[] = []
    for (const end of [0, 1] as const) {
      const index = options.path * 2 + end
      const [host, pod] = [await netns(), await netns()]
      await kernel.apply(fabric, cable(index, host))
      await kernel.apply(host, hostOperations(index, pod))
      if (options.masquerades === true) await kernel.nft(host, masquerading)
      if (options.hasRules === true) await kernel.apply(host, rules)
      await kernel.apply(pod, podOperations(index))
      ends.push({ netns: pod, address: podAddress(index) })
    }
    const [from, to] = ends as [PathEnd, PathEnd]
    return await task(from, to)
  } finally {
    for (const holder of holders) holder.kill('SIGKILL')
    await kernel.close()
  }
}

function podAddress(index: number): string {
  return `10.250.${index}.2`
}

function hostAddress(index: number): string {
  return `192.168.100.${201 + index}`
}

function cable(index: number, netns: string): Operation[] {
  const name = `hand${index}`
  return [
    { op: 'ensureVeth', name, peer: { name: 'ens2', netns }, isUp: true },
    { op: 'setLink', name, master: bridge },
  ]
}

function hostOperations(index: number, pod: string): Operation[] {
  // The two ends of a path have numbers that differ in the last bit.
  const other = index ^ 1
  return [
    { op: 'sysctl', key: 'net/ipv4/ip_forward', value: '1' },
    { op: 'setLink', name: 'lo', isUp: true },
    { op: 'setLink', name: 'ens2', isUp: true },
    { op: 'ensureAddress', device: 'ens2', address: `${hostAddress(index)}/24` },
    { op: 'ensureVeth', name: 'pod0', peer: { name: 'eth0', netns: pod }, isUp: true },
    { op: 'ensureAddress', device: 'pod0', address: `10.250.${index}.1/24` },
    {
      op: 'ensureRoute',
      route: { family: 4, destination: `10.250.${other}.0/24`, gateway: hostAddress(other), device: 'ens2' },
    },
  ]
}

function podOperations(index: number): Operation[] {
  return [
    { op: 'setLink', name: 'lo', isUp: true },
    { op: 'setLink', name: 'eth0', isUp: true },
    { op: 'ensureAddress', device: 'eth0', address: `${podAddress(index)}/24` },
    {
      op: 'ensureRoute',
      route: { family: 4, destination: '0.0.0.0/0', gateway: `10.250.${index}.1`, device: 'eth0' },
    },
  ]
}

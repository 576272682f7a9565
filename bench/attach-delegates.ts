import { pods } from '../src/kube/resources/core.ts'
import { networkAttachmentDefinitions, networksAnnotation } from '../src/kube/resources/net-attach-def.ts'
import { agentUse } from './agent-use.ts'
import type { Bench } from './bench.ts'
import type { DelegatesJob, DelegatesResult } from './delegates-runner.ts'
import { type BenchLab, processOf, withLab } from './lab.ts'
import { runOnNode, withoutKubelet } from './node.ts'
import { percentile } from './statistics.ts'

const node = 'work01'
const namespace = 'default'
const warmUps = 10
const count = 60

const ipamOf = (subnet: string): object => ({ type: 'host-local', ranges: [[{ subnet }]] })
const bridge = {
  cniVersion: '1.0.0',
  name: 'bridged',
  type: 'bridge',
  bridge: 'br-bench',
  isGateway: true,
  ipam: ipamOf('10.246.0.0/16'),
}
const macvlan = {
  cniVersion: '1.0.0',
  name: 'macvlan',
  type: 'macvlan',
  master: 'parent',
  mode: 'bridge',
  ipam: ipamOf('10.247.0.0/16'),
}

/** As an operator writes it into net.d. */
const ours = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: 'twinlane',
  binDir: '/usr/lib/cni',
  delegates: [bridge],
}

/**
 * ADD and DEL of a pod with bridge and macvlan of the reference plugins, through us and by executing the two plugins
 * themselves, pod by pod in turn.
 */
export const attachDelegates: Bench = (report) =>
  withLab(async (lab) => {
    const names = Array.from({ length: warmUps + count }, (_, index) => `delegates-${index}`)
    await createPods(lab, names)
    const job: DelegatesJob = {
      pods: names,
      ours,
      networks: [
        { ifName: 'eth0', config: bridge },
        { ifName: 'eth1', config: macvlan },
      ],
    }
    const agent = processOf(lab, node, 'agent')
    const before = await agentUse(agent)
    const result = await withoutKubelet(lab, node, () =>
      runOnNode<DelegatesResult>(lab, node, { program: 'delegates-runner', job }),
    )
    const after = await agentUse(agent)
    for (const verb of ['ADD', 'DEL'] as const) {
      const [direct, through] = [result.direct[verb].slice(warmUps), result.ours[verb].slice(warmUps)]
      const peer = `${verb} of the two plugins alone, p50`
      report(peer, percentile(direct, 50), 'ms')
      report(`${verb} through us, p50`, percentile(through, 50), 'ms', peer)
      // On a machine with others on it, the quiet tenth says more than the median.
      const quietPeer = `${verb} of the two plugins alone, p10`
      report(quietPeer, percentile(direct, 10), 'ms')
      report(`${verb} through us, p10`, percentile(through, 10), 'ms', quietPeer)
      const onTop = through.map((ms, index) => ms - (direct[index] ?? Number.NaN))
      report(`${verb} through us, on top for the same pod, p50`, percentile(onTop, 50), 'ms')
    }
    report('CPU of the agent for an ADD and DEL', (after.cpuMs - before.cpuMs) / names.length, 'ms')
    report('memory of the agent', after.residentMb, 'MB')
  })

async function createPods({ kube }: BenchLab, names: readonly string[]): Promise<void> {
  await kube.create(networkAttachmentDefinitions, {
    metadata: { name: 'macvlan', namespace },
    spec: { config: JSON.stringify(macvlan) },
  })
  const spec = { nodeName: node, containers: [{ name: 'c', image: 'busybox:1.28' }] }
  const annotations = { [networksAnnotation]: 'macvlan@eth1' }
  await Promise.all(
    names.map((name) =>
      kube.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, annotations }, spec }),
    ),
  )
}

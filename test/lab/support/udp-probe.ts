import { eventually } from './eventually.ts'
import type { Lab } from './lab.ts'

export interface ProbedPod {
  readonly node: string
  readonly name: string
}

export interface ProbeResult {
  readonly from: string
  readonly to: string
  readonly sent: number
  readonly lost: number
}

export interface Probes {
  /** Ends the sending and counts. */
  stop(): Promise<ProbeResult[]>
}

const folder = '/run/udp-probe'
const firstPort = 20_000

interface Pair {
  readonly from: ProbedPod
  readonly to: ProbedPod
  readonly address: string
  readonly port: number
}

/** iperf3 sends a datagram every 10 ms from every pod to every other until it is told to stop; its receivers count. */
export async function startProbes(lab: Lab, pods: readonly ProbedPod[]): Promise<Probes> {
  const addresses = new Map<ProbedPod, string>()
  for (const pod of pods) {
    const { status } = await lab.json<{ status: { podIP: string } }>(['get', 'pod', pod.name, '-o', 'json'])
    addresses.set(pod, status.podIP)
  }
  const pairs = pods
    .flatMap((from) => pods.filter((to) => to !== from).map((to) => ({ from, to })))
    .map((pair, index): Pair => ({ ...pair, address: addresses.get(pair.to) ?? '', port: firstPort + index }))
  const inPod = (pod: ProbedPod, lines: readonly string[]): Promise<unknown> =>
    lab.exec(pod.node, ['sh', '-ec', [...enter(addresses.get(pod) ?? ''), ...lines].join('\n')])
  for (const pod of pods) await inPod(pod, receivers(pairs.filter(({ to }) => to === pod)))
  for (const pod of pods) await inPod(pod, senders(pairs.filter(({ from }) => from === pod)))
  return {
    async stop() {
      for (const { node } of pods) await lab.exec(node, ['sh', '-ec', `kill -INT $(cat ${folder}/*.pid)`])
      const results: ProbeResult[] = []
      for (const pair of pairs) results.push(await countPair(lab, pair))
      for (const { node } of pods) await lab.exec(node, ['rm', '-r', folder])
      return results
    },
  }
}

/** Sets $enter to the prefix of commands in the pod that has the address. */
function enter(address: string): string[] {
  return [
    `mkdir -p ${folder}`,
    'enter=',
    'for name in $(ls /run/netns); do',
    `  if ip netns exec $name ip -o -4 address | grep -q ' ${address}/32 '; then enter="ip netns exec $name"; fi`,
    'done',
    '[ -n "$enter" ]',
  ]
}

function receivers(pairs: readonly Pair[]): string[] {
  return pairs.flatMap(({ port }) => [
    `setsid $enter iperf3 -s -1 -p ${port} -i 0 -J >${folder}/${port}.received 2>/dev/null </dev/null &`,
    `until $enter ss -Hltn 'sport = :${port}' | grep -q .; do sleep 0.05; done`,
  ])
}

function senders(pairs: readonly Pair[]): string[] {
  return pairs.flatMap(({ address, port }) => [
    `setsid $enter iperf3 -c ${address} -p ${port} -u -l 64 -b 51200 -t 0 -i 0 -J >${folder}/${port}.sent 2>/dev/null </dev/null &`,
    `echo $! >${folder}/${port}.pid`,
  ])
}

async function countPair(lab: Lab, { from, to, port }: Pair): Promise<ProbeResult> {
  const sent = await readEnd(lab, from.node, `${port}.sent`)
  const received = await readEnd(lab, to.node, `${port}.received`)
  // The receiver ends when the sender says so on another connection: one datagram may still be under way.
  const unseen = Math.max(0, sent.packets - received.packets - 1)
  return { from: from.name, to: to.name, sent: sent.packets, lost: received.lost_packets + unseen }
}

interface End {
  packets: number
  lost_packets: number
}

async function readEnd(lab: Lab, node: string, file: string): Promise<End> {
  let end: End | undefined
  await eventually(async () => {
    const { stdout } = await lab.exec(node, ['cat', `${folder}/${file}`])
    end = (JSON.parse(stdout) as { end: { sum?: End } }).end.sum
  })
  if (end === undefined) throw new Error(`iperf3 on ${node} says nothing in ${file}`)
  return end
}

import type { ChildProcess } from 'node:child_process'
import { spawnProcess } from '../../../src/base/exec.ts'
import { eventually } from './routed-cluster.ts'

export interface ProbeEnd {
  /** How a command is run where this end is, e.g. `['ip', 'netns', 'exec', 'pod-a']`. */
  readonly prefix: readonly string[]
  readonly address: string
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

/** One datagram of 64 bytes every 10 ms. */
const rate = ['-u', '-l', '64', '-b', '51200', '-t', '0', '-i', '0', '-J']
const firstPort = 20_000

/** iperf3 sends datagrams from every end to every other until it is told to stop, and its receivers count. */
export async function startProbes(ends: readonly ProbeEnd[]): Promise<Probes> {
  const pairs = ends.flatMap((from) => ends.filter((to) => to !== from).map((to) => ({ from, to })))
  const probes: Pair[] = []
  for (const [index, { from, to }] of pairs.entries()) {
    probes.push(await startPair(from, to, firstPort + index))
  }
  return { stop: async () => await Promise.all(probes.map((probe) => probe.stop())) }
}

interface Pair {
  stop(): Promise<ProbeResult>
}

async function startPair(from: ProbeEnd, to: ProbeEnd, port: number): Promise<Pair> {
  const server = run(to.prefix, ['iperf3', '-s', '-1', '-p', `${port}`, '-i', '0', '-J'])
  await eventually(`${to.address} to listen on ${port}`, async () => {
    const { stdout } = await run(to.prefix, ['ss', '-Hltn', `sport = :${port}`]).result
    if (stdout === '') throw new Error('not yet')
  })
  const client = run(from.prefix, ['iperf3', '-c', to.address, '-p', `${port}`, ...rate])
  return {
    async stop() {
      client.interrupt()
      const [sent, received] = await Promise.all([client.result, server.result])
      const { packets } = parseEnd(sent.stdout)
      const counted = parseEnd(received.stdout)
      // The receiver ends when the sender says so on another connection: one datagram may still be under way.
      const unseen = Math.max(0, packets - counted.packets - 1)
      return { from: from.address, to: to.address, sent: packets, lost: counted.lost_packets + unseen }
    },
  }
}

function parseEnd(text: string): { packets: number; lost_packets: number } {
  const { end, error } = JSON.parse(text) as {
    end: { sum?: { packets: number; lost_packets: number } }
    error?: string
  }
  if (end.sum === undefined) throw new Error(`iperf3: ${error}`)
  return end.sum
}

function run(prefix: readonly string[], command: readonly string[]) {
  const [program = '', ...args] = [...prefix, ...command]
  const child: ChildProcess = spawnProcess(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let stdout = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  return {
    interrupt: () => void child.kill('SIGINT'),
    result: new Promise<{ stdout: string }>((resolve) => child.once('close', () => resolve({ stdout }))),
  }
}

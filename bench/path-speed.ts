import { exec, spawnProcess } from '../src/base/exec.ts'
import type { PathEnd } from './hand-built-path.ts'

/** What one path is good for, once. */
export interface PathSpeed {
  readonly gigabitsPerSecond: number
  readonly roundTripP50Us: number
  readonly roundTripP99Us: number
}

const seconds = 3
const port = '5301'

/** One TCP stream by iperf3, then datagrams back and forth, one at a time, by sockperf. */
export async function measurePath(from: PathEnd, to: PathEnd): Promise<PathSpeed> {
  return { gigabitsPerSecond: await throughput(from, to), ...(await roundTrips(from, to)) }
}

async function throughput(from: PathEnd, to: PathEnd): Promise<number> {
  const server = serve(to, ['iperf3', '-s', '-1', '-p', port])
  try {
    await listening(to, '-Hltn')
    const { stdout } = await inside(from, ['iperf3', '-c', to.address, '-p', port, '-t', `${seconds}`, '-O', '1', '-J'])
    return (JSON.parse(stdout) as Iperf).end.sum_received.bits_per_second / 1e9
  } finally {
    server.kill('SIGKILL')
  }
}

interface Iperf {
  readonly end: { readonly sum_received: { readonly bits_per_second: number } }
}

async function roundTrips(from: PathEnd, to: PathEnd): Promise<Omit<PathSpeed, 'gigabitsPerSecond'>> {
  const server = serve(to, ['sockperf', 'server', '-i', to.address, '-p', port])
  try {
    await listening(to, '-Hlun')
    const options = ['--full-rtt', '-t', `${seconds}`, '-m', '64']
    const { stdout } = await inside(from, ['sockperf', 'ping-pong', '-i', to.address, '-p', port, ...options])
    return { roundTripP50Us: percentileOf(stdout, 50), roundTripP99Us: percentileOf(stdout, 99) }
  } finally {
    server.kill('SIGKILL')
  }
}

/** sockperf tells microseconds. */
function percentileOf(text: string, percent: number): number {
  const found = new RegExp(`percentile ${percent}\\.0+ =\\s+([\\d.]+)`).exec(text)?.[1]
  if (found === undefined) throw new Error(`sockperf does not tell the ${percent}th percentile: ${text}`)
  return Number(found)
}

function serve(end: PathEnd, command: readonly string[]) {
  return spawnProcess('nsenter', [`--net=${end.netns}`, ...command], { stdio: 'ignore' })
}

/** Neither program says when it listens. */
async function listening(end: PathEnd, kind: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const { stdout } = await inside(end, ['ss', kind, `sport = :${port}`])
    if (stdout !== '') return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nobody listens on ${end.address}:${port}`)
}

function inside(end: PathEnd, command: readonly string[]) {
  return exec('nsenter', [`--net=${end.netns}`, ...command], { timeoutMs: 60_000 })
}

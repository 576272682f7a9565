import { readFile } from 'node:fs/promises'
import type { BenchLab } from './lab.ts'

/** How long one CNI call took, by two clocks. */
export interface CniCall {
  readonly pod: string
  /** As the runtime sees it: start of the executable to its end, result parsed. */
  readonly runtimeMs: number
  /** As the agent sees it: without the executable and the socket. */
  readonly agentMs: number
}

/** The calls of one verb that ended well on a node, in order, from the logs of kubelet and agent. */
export async function readCniCalls(lab: BenchLab, node: string, command: 'ADD' | 'DEL'): Promise<CniCall[]> {
  const runtime = await readLines(lab, { node, process: 'kubelet', message: 'CNI call done', command })
  const agent = await readLines(lab, { node, process: 'agent', message: 'CNI request done', command })
  const byContainer = new Map(agent.map((line) => [line.containerId, line.durationMs]))
  return runtime.flatMap(({ pod, containerId, durationMs }) => {
    const agentMs = byContainer.get(containerId)
    return agentMs === undefined ? [] : [{ pod, runtimeMs: durationMs, agentMs }]
  })
}

interface LogLine {
  readonly msg: string
  readonly command: string
  readonly pod: string
  readonly containerId: string
  readonly durationMs: number
}

async function readLines(
  { state }: BenchLab,
  wanted: { node: string; process: string; message: string; command: string },
): Promise<LogLine[]> {
  const text = await readFile(state.logFile(wanted.node, wanted.process), 'utf8')
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(wanted.message))
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ msg, command }) => msg === wanted.message && command === wanted.command)
}

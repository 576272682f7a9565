import type { Bench } from './bench.ts'
import { withKernelNics } from './kernel-nics.ts'
import { percentile } from './statistics.ts'

const count = 100

/** 100 ADDs at once, then 100 DELs at once, of pods with two NICs of the routed network; the API server beside it. */
export const attachBurst100: Bench = (report) =>
  withKernelNics(async (node) => {
    await node.createPods('warm', count)
    await node.run({ prefix: 'warm', count, verbs: ['ADD', 'DEL'], isBurst: true })
    await node.createPods('burst', count)
    const before = await node.agentUse()
    const { calls } = await node.run({ prefix: 'burst', count, verbs: ['ADD', 'DEL'], isBurst: true })
    const after = await node.agentUse()
    for (const verb of ['ADD', 'DEL'] as const) {
      const { eachMs = [], totalMs = Number.NaN } = calls[verb] ?? {}
      report(`${verb} of all`, totalMs, 'ms')
      report(`${verb} p50`, percentile(eachMs, 50), 'ms')
      report(`${verb} rate`, (count * 1000) / totalMs, 'pods/s')
    }
    report('CPU of the agent, one ADD and one DEL', (after.cpuMs - before.cpuMs) / count, 'ms')
    report('memory of the agent before', before.residentMb, 'MB')
    report('memory of the agent after', after.residentMb, 'MB', 'memory of the agent before')
  })

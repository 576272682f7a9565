import type { Report } from './bench.ts'
import type { JobResult } from './cni-runner.ts'
import { floorOf } from './floor.ts'
import { type KernelNicsNode, withKernelNics } from './kernel-nics.ts'
import { percentile } from './statistics.ts'

const count = 100
const warmUps = 5
const floorRate = 'floor: kernel and executable alone, one after the other'

/**
 * A hundred calls of the verb at once, for pods with two NICs of the routed network; the API server beside it on the
 * same machine. Five hundred pods that do not count come first, and the floor with them: an agent lives for months, and
 * its code is compiled in its first seconds. What the agent does for pods before their ADD counts as the ADD's.
 */
export async function measureBurst(verb: 'ADD' | 'DEL', report: Report): Promise<void> {
  await withKernelNics(async (node) => {
    const floor = await warmUp(node)
    const burst = { prefix: 'burst', count, isBurst: true }
    const atCreation = await node.agentUse()
    await node.createPods(burst.prefix, count)
    if (verb === 'DEL') await node.run({ ...burst, verbs: ['ADD'] })
    const before = verb === 'ADD' ? atCreation : await node.agentUse()
    const { calls } = await node.run({ ...burst, verbs: [verb] })
    const after = await node.agentUse()
    if (verb === 'ADD') await node.run({ ...burst, verbs: ['DEL'] })
    const { eachMs, totalMs } = calls[verb] ?? { eachMs: [], totalMs: Number.NaN }
    report(floorRate, 1000 / floorOf(verb, floor), 'pods/s')
    report('rate', (count * 1000) / totalMs, 'pods/s', floorRate)
    report('all', totalMs, 'ms')
    report('p50 of one among all', percentile(eachMs, 50), 'ms')
    report('CPU of the agent for a pod, with what comes before and after', (after.cpuMs - before.cpuMs) / count, 'ms')
    report('memory of the agent before', before.residentMb, 'MB')
    report('memory of the agent after', after.residentMb, 'MB', 'memory of the agent before')
  })
}

async function warmUp(node: KernelNicsNode): Promise<JobResult['floor']> {
  let floor: JobResult['floor']
  for (let round = 0; round < warmUps; round++) {
    const prefix = `warm-${round}`
    await node.createPods(prefix, count)
    const done = await node.run({ prefix, count, isBurst: true, withFloor: round === 0, verbs: ['ADD', 'DEL'] })
    floor ??= done.floor
  }
  return floor
}

import type { Report } from './bench.ts'
import { floorOf } from './floor.ts'
import { withKernelNics } from './kernel-nics.ts'
import { percentile } from './statistics.ts'

const count = 100
const floorRate = 'floor: kernel and executable alone, one after the other'

/**
 * A hundred calls of the verb at once, for pods with two NICs of the routed network; the API server beside it on the
 * same machine. A hundred pods that do not count come first, and the floor with them.
 */
export async function measureBurst(verb: 'ADD' | 'DEL', report: Report): Promise<void> {
  await withKernelNics(async (node) => {
    const warm = { prefix: 'warm', count, isBurst: true, withFloor: true }
    const burst = { prefix: 'burst', count, isBurst: true }
    await node.createPods(warm.prefix, count)
    const { floor } = await node.run({ ...warm, verbs: ['ADD', 'DEL'] })
    await node.createPods(burst.prefix, count)
    if (verb === 'DEL') await node.run({ ...burst, verbs: ['ADD'] })
    const before = await node.agentUse()
    const { calls } = await node.run({ ...burst, verbs: [verb] })
    const after = await node.agentUse()
    if (verb === 'ADD') await node.run({ ...burst, verbs: ['DEL'] })
    const { eachMs, totalMs } = calls[verb] ?? { eachMs: [], totalMs: Number.NaN }
    report(floorRate, 1000 / floorOf(verb, floor), 'pods/s')
    report('rate', (count * 1000) / totalMs, 'pods/s', floorRate)
    report('all', totalMs, 'ms')
    report('p50 of one among all', percentile(eachMs, 50), 'ms')
    report('CPU of the agent for a pod, with what follows the answer', (after.cpuMs - before.cpuMs) / count, 'ms')
    report('memory of the agent before', before.residentMb, 'MB')
    report('memory of the agent after', after.residentMb, 'MB', 'memory of the agent before')
  })
}

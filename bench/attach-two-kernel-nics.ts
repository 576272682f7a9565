import type { Bench } from './bench.ts'
import { withKernelNics } from './kernel-nics.ts'
import { percentile } from './statistics.ts'

const warmUps = 10
const count = 60

/**
 * ADD of a pod with two NICs of the routed network from two pools, from the start of the executable to its end, one
 * after the other; and the DEL of the same pods.
 */
export const attachTwoKernelNics: Bench = (report) =>
  withKernelNics(async (node) => {
    await node.createPods('nics', warmUps + count)
    const { calls, floor } = await node.run({
      prefix: 'nics',
      count: warmUps + count,
      verbs: ['ADD', 'DEL'],
      isBurst: false,
      withFloor: true,
    })
    const floorName = 'floor: two veths by netlink and the executable alone, p50'
    const warm = (values: readonly number[] = []): readonly number[] => values.slice(warmUps)
    report(floorName, percentile(warm(floor?.kernelMs), 50) + percentile(warm(floor?.executableMs), 50), 'ms')
    for (const verb of ['ADD', 'DEL'] as const) {
      const times = warm(calls[verb]?.eachMs)
      report(`${verb} p50`, percentile(times, 50), 'ms', floorName)
      report(`${verb} p95`, percentile(times, 95), 'ms', floorName)
    }
  })

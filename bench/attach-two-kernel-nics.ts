import type { Bench } from './bench.ts'
import { measureOneAfterTheOther } from './one-after-the-other.ts'
import { percentile } from './statistics.ts'

const floor = 'floor: two veths by netlink and the executable, p50'

/** ADD of a pod with two NICs of the routed network from two pools, from the start of the executable to its end. */
export const attachTwoKernelNics: Bench = async (report) => {
  const { times, floorMs } = await measureOneAfterTheOther('ADD')
  report(floor, floorMs, 'ms')
  report('p50', percentile(times, 50), 'ms', floor)
  report('p95', percentile(times, 95), 'ms', floor)
}

import type { Bench } from './bench.ts'
import { measureOneAfterTheOther } from './one-after-the-other.ts'
import { percentile } from './statistics.ts'

const floor = 'floor: both veths in one deletion and the executable, p50'

/** DEL of a pod with two NICs of the routed network, from the start of the executable to its end. */
export const detachTwoNics: Bench = async (report) => {
  const { times, floorMs } = await measureOneAfterTheOther('DEL')
  report(floor, floorMs, 'ms')
  report('p50', percentile(times, 50), 'ms', floor)
  report('p95', percentile(times, 95), 'ms', floor)
}

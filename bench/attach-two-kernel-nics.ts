import type { Bench } from './bench.ts'
import { measureOneAfterTheOther } from './one-after-the-other.ts'

/** ADD of a pod with two NICs of the routed network from two pools, from the start of the executable to its end. */
export const attachTwoKernelNics: Bench = (report) =>
  measureOneAfterTheOther('ADD', 'floor: two veths by netlink and the executable, p50', report)

import type { Bench } from './bench.ts'
import { measureOneAfterTheOther } from './one-after-the-other.ts'

/** DEL of a pod with two NICs of the routed network, from the start of the executable to its end. */
export const detachTwoNics: Bench = (report) =>
  measureOneAfterTheOther('DEL', 'floor: both veths in one deletion and the executable, p50', report)

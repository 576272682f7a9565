import type { Bench } from './bench.ts'
import { measureBurst } from './burst.ts'

/** 100 ADDs at once of pods with two NICs of the routed network. */
export const attachBurst100: Bench = (report) => measureBurst('ADD', report)

import type { Bench } from './bench.ts'
import { measureBurst } from './burst.ts'

/** 100 DELs at once of pods with two NICs of the routed network. */
export const detachBurst100: Bench = (report) => measureBurst('DEL', report)

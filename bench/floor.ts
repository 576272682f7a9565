import type { Floor } from './cni-runner.ts'
import { percentile } from './statistics.ts'

/** Median of the kernel's own work for a pod with two NICs, and of an execution of the plugin that asks nobody. */
export function floorOf(verb: 'ADD' | 'DEL', floor: Floor | undefined): number {
  if (floor === undefined) return Number.NaN
  const kernelMs = verb === 'ADD' ? floor.attachMs : floor.detachMs
  return percentile(kernelMs, 50) + percentile(floor.executableMs, 50)
}

import type { Bench } from './bench.ts'
import { withLab } from './lab.ts'
import { createNetwork, removePod, startPod } from './pods.ts'
import { percentile } from './statistics.ts'

const warmUps = 3
const count = 30

/** From the request to create a pod to Ready with both NICs, as a watch sees it; one pod after the other. */
export const podReady: Bench = (report) =>
  withLab(async (lab) => {
    await createNetwork(lab)
    const times: number[] = []
    for (let index = 0; index < warmUps + count; index++) {
      const name = `ready-${index}`
      const { readyMs } = await startPod(lab, name, 'work01')
      await removePod(lab, name)
      times.push(readyMs)
    }
    const warm = times.slice(warmUps)
    report('first pod of the node', times[0] ?? Number.NaN, 'ms')
    report('p50', percentile(warm, 50), 'ms')
    report('p95', percentile(warm, 95), 'ms')
    report('max', Math.max(...warm), 'ms')
  })

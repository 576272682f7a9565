import type { Bench } from './bench.ts'
import { readCniCalls } from './cni-calls.ts'
import { withLab } from './lab.ts'
import { createNetwork, removePod, startPod } from './pods.ts'
import { percentile } from './statistics.ts'

const node = 'work01'
const warmUps = 3
const count = 30

/** CNI DEL with both networks, seen from the runtime's side. */
export const detachRoutedOvn: Bench = (report) =>
  withLab(async (lab) => {
    await createNetwork(lab)
    for (let index = 0; index < warmUps + count; index++) {
      await startPod(lab, `detach-${index}`, node)
      await removePod(lab, `detach-${index}`)
    }
    const calls = await readCniCalls(lab, node, 'DEL')
    if (calls.length !== warmUps + count) throw new Error(`${calls.length} DELs in the logs, not ${warmUps + count}`)
    const times = calls.slice(warmUps).map(({ runtimeMs }) => runtimeMs)
    report('p50', percentile(times, 50), 'ms')
    report('p95', percentile(times, 95), 'ms')
  })

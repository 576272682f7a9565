import type { Bench, Report } from './bench.ts'
import { type CniCall, readCniCalls } from './cni-calls.ts'
import { withLab } from './lab.ts'
import { measureOvnPort, ovnPart, ovnPartWithRow } from './ovn-port.ts'
import { createNetwork, removePod, startPod } from './pods.ts'
import { percentile } from './statistics.ts'

const node = 'work01'
const warmUps = 3
const count = 30

/**
 * CNI ADD with both networks, seen from the runtime's side. OVN's own part is measured between the pods, so that both
 * meet the same load.
 */
export const attachRoutedOvn: Bench = (report) =>
  withLab(async (lab) => {
    await createNetwork(lab)
    const ovn = await measureOvnPort(lab, node)
    try {
      for (let index = 0; index < warmUps + count; index++) {
        await startPod(lab, `attach-${index}`, node)
        await ovn.measure()
        await removePod(lab, `attach-${index}`)
      }
    } finally {
      await ovn.close()
    }
    report(ovnPart, percentile(ovn.bindMs.slice(warmUps), 50), 'ms')
    report(ovnPartWithRow, percentile(ovn.bindWithRowMs.slice(warmUps), 50), 'ms')
    reportCalls(report, await readCniCalls(lab, node, 'ADD'))
  })

function reportCalls(report: Report, calls: readonly CniCall[]): void {
  if (calls.length !== warmUps + count) throw new Error(`${calls.length} ADDs in the logs, not ${warmUps + count}`)
  const warm = calls.slice(warmUps)
  const times = warm.map(({ runtimeMs }) => runtimeMs)
  report('first ADD of the agent', calls[0]?.runtimeMs ?? Number.NaN, 'ms', ovnPart)
  report('p50', percentile(times, 50), 'ms', ovnPart)
  report('p95', percentile(times, 95), 'ms', ovnPart)
  const outside = warm.map(({ runtimeMs, agentMs }) => runtimeMs - agentMs)
  report('of it start of the shim and its socket, p50', percentile(outside, 50), 'ms')
}

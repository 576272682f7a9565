import type { Bench } from './bench.ts'
import { withOvnNics } from './ovn-nics.ts'
import { ovnPart } from './ovn-port.ts'
import { percentile } from './statistics.ts'

const warmUps = 3
const count = 30

/** ADD of one attachment to the OVN network whose address was given before, as when the scheduler has just bound the pod. */
export const ovnAttach: Bench = (report) =>
  withOvnNics(async ({ ovn, createPods, addressesGiven, add }) => {
    await createPods('attach', warmUps + count)
    await addressesGiven('attach', warmUps + count)
    for (let index = 0; index < count / 2; index++) await ovn.measure()
    const { eachMs } = await add('attach', warmUps + count, false)
    for (let index = 0; index < count / 2; index++) await ovn.measure()
    report(ovnPart, percentile(ovn.bindMs, 50), 'ms')
    report('p50', percentile(eachMs.slice(warmUps), 50), 'ms', ovnPart)
    report('p95', percentile(eachMs.slice(warmUps), 95), 'ms', ovnPart)
  })

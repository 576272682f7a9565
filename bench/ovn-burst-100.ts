import type { Bench } from './bench.ts'
import { withOvnNics } from './ovn-nics.ts'

const count = 100
const ownPart = "OVN's own time for 100 ports in one transaction"

/** A hundred pods of one node at once: addresses, logical ports, annotations and ADDs, all awaited. */
export const ovnBurst100: Bench = (report) =>
  withOvnNics(async ({ ovn, createPods, addressesGiven, add }) => {
    await ovn.measureBurst(count)
    report(ownPart, await ovn.measureBurst(count), 'ms')
    const before = await ovn.transactions()
    const startedAt = performance.now()
    const created = createPods('burst', count)
    await created
    await addressesGiven('burst', count)
    const givenMs = performance.now() - startedAt
    report('addresses given to all, from the first creation', givenMs, 'ms', ownPart)
    report(
      'transactions of the northbound database for a pod',
      ((await ovn.transactions()) - before) / count,
      'per pod',
    )
    const { totalMs } = await add('burst', count, true)
    report('ADD of all, all at once', totalMs, 'ms', ownPart)
  })

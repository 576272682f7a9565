import type { Report } from './bench.ts'
import { floorOf } from './floor.ts'
import { type KernelNicsNode, withKernelNics } from './kernel-nics.ts'
import { percentile } from './statistics.ts'

const warmUps = 200
const count = 60

/**
 * What a verb takes for pods with two NICs of the routed network, one after the other, after 200 pods have come and
 * gone: an agent lives for months, and its code is compiled in its first seconds.
 */
export async function measureOneAfterTheOther(verb: 'ADD' | 'DEL', floor: string, report: Report): Promise<void> {
  await withKernelNics(async (node) => {
    await runInTurn(node, 'warm', warmUps)
    const { calls, floor: floorTimes } = await runInTurn(node, 'nics', count)
    const times = calls[verb]?.eachMs ?? []
    report(floor, floorOf(verb, floorTimes), 'ms')
    report('p50', percentile(times, 50), 'ms', floor)
    report('p95', percentile(times, 95), 'ms', floor)
    const beside = await runInTurn(node, 'beside', count, 'runBesideOpenVSwitch')
    report('p50 beside ovs-vswitchd', percentile(beside.calls[verb]?.eachMs ?? [], 50), 'ms')
  })
}

async function runInTurn(
  node: KernelNicsNode,
  prefix: string,
  count: number,
  way: 'run' | 'runBesideOpenVSwitch' = 'run',
): ReturnType<KernelNicsNode['run']> {
  await node.createPods(prefix, count)
  return await node[way]({ prefix, count, verbs: ['ADD', 'DEL'], isBurst: false, withFloor: true })
}

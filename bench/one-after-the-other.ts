import { floorOf } from './floor.ts'
import { withKernelNics } from './kernel-nics.ts'

const warmUps = 10
const count = 60

/** What a verb took for pods with two NICs of the routed network, one after the other; without the first few. */
export async function measureOneAfterTheOther(verb: 'ADD' | 'DEL'): Promise<{ times: number[]; floorMs: number }> {
  return await withKernelNics(async (node) => {
    const pods = { prefix: 'nics', count: warmUps + count }
    await node.createPods(pods.prefix, pods.count)
    const { calls, floor } = await node.run({ ...pods, verbs: ['ADD', 'DEL'], isBurst: false, withFloor: true })
    return { times: calls[verb]?.eachMs.slice(warmUps) ?? [], floorMs: floorOf(verb, floor) }
  })
}

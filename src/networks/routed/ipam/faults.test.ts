import { describe, expect, it } from 'vitest'
import { startIpamNode, testPool } from '../../../../test/support/ipam-node.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { blockAffinities, ipamBlocks } from '../resources.ts'
import { isConfirmed, releaseBlock } from './affinity.ts'
import { allocationsOf, ownerOf } from './block.ts'

/** Kills the process at its n-th request: before it is done, or after, when only the answer is lost. */
type Moment = 'before' | 'after'

class Killed extends Error {}

function dyingKube(kube: FakeKube, at: { request: number; moment: Moment }): { kube: FakeKube; asked: () => number } {
  let asked = 0
  const guard = async <T>(run: () => Promise<T>): Promise<T> => {
    const number = asked++
    if (number > at.request || (number === at.request && at.moment === 'before')) throw new Killed()
    const answer = await run()
    if (number === at.request) throw new Killed()
    return answer
  }
  const dying: FakeKube = {
    ...kube,
    get: (...args) => guard(() => kube.get(...args)),
    find: (...args) => guard(() => kube.find(...args)),
    create: (...args) => guard(() => kube.create(...args)),
    update: (...args) => guard(() => kube.update(...args)),
    delete: (...args) => guard(() => kube.delete(...args)),
  }
  return { kube: dying, asked: () => asked }
}

const pools4 = [testPool('four', '10.244.0.0/29', 30)]
const pools6 = [testPool('six', 'fd00::/125', 126)]
const cidrs = ['10.244.0.0/30', '10.244.0.4/30', 'fd00::/126', 'fd00::4/126']

type Life = (kube: FakeKube, signal: AbortSignal) => Promise<void>

/** What a process does that may be killed. */
const lives: Record<string, Life> = {
  'claims a block and takes addresses of both families': async (kube, signal) => {
    const node = await startIpamNode({ kube, nodeName: 'work01', signal })
    await node.assign('net.a', pools4)
    await node.assign('net.a', pools6)
    await node.release('net.a')
    await node.assign('net.b', pools4)
  },
  'asks for a certain address': async (kube, signal) => {
    const node = await startIpamNode({ kube, nodeName: 'work01', signal })
    await node.assign('net.a', pools4, '10.244.0.5')
  },
  'gives up its block': async (kube, signal) => {
    const node = await startIpamNode({ kube, nodeName: 'work01', signal })
    await node.assign('net.a', pools4)
    await node.release('net.a')
    for (const cidr of cidrs) await releaseBlock({ kube, store: node.store }, { nodeName: 'work01', cidr })
  },
}

describe.each(Object.entries(lives))('a process that %s', (_, live) => {
  it.each(['before', 'after'] as const)('may be killed %s any request it makes', async (moment) => {
    let requests = Number.POSITIVE_INFINITY
    for (let request = 0; request < requests; request++) requests = await killAt({ request, moment }, live)
    expect(requests).toBeGreaterThan(4)
  })
})

/** One life and what comes after it. Resolves with the number of requests of a whole life. */
async function killAt(at: { request: number; moment: Moment }, live: Life): Promise<number> {
  const kube = createFakeKube()
  const stop = new AbortController()
  const dying = dyingKube(kube, at)
  const ended = await live(dying.kube, stop.signal).then(
    () => 'ended',
    (error: unknown) => {
      if (!(error instanceof Killed)) throw error
      return 'killed'
    },
  )
  await expectWholeAgain(kube, stop.signal)
  stop.abort()
  return ended === 'ended' ? dying.asked() : Number.POSITIVE_INFINITY
}

/** The next process of the node, and another node beside it, get every address there is, each once. */
async function expectWholeAgain(kube: FakeKube, signal: AbortSignal): Promise<void> {
  const again = await startIpamNode({ kube, nodeName: 'work01', signal })
  const other = await startIpamNode({ kube, nodeName: 'work02', signal })
  // What the runtime knows nothing of is garbage: as collectGarbage does.
  for (const handle of ['net.a', 'net.b']) await again.release(handle)
  await expectOwnersAgree(kube)
  for (const pools of [pools4, pools6]) {
    const handles = Array.from({ length: 8 }, (_, index) => `net.${index}`)
    const addresses = await Promise.all(
      handles.map((handle, index) => (index % 2 === 0 ? again : other).assign(handle, pools)),
    )
    expect(new Set(addresses).size).toBe(8)
  }
  await expectOwnersAgree(kube)
  expect((await kube.list(ipamBlocks)).items.flatMap(allocationsOf)).toHaveLength(16)
}

/** Every claim is confirmed and its block says the same; every block that has an owner has the claim. */
async function expectOwnersAgree(kube: FakeKube): Promise<void> {
  const [blocks, affinities] = [(await kube.list(ipamBlocks)).items, (await kube.list(blockAffinities)).items]
  expect(affinities.filter((affinity) => !isConfirmed(affinity))).toEqual([])
  const claims = affinities.map(({ spec }) => `${spec.node} ${spec.cidr}`).sort()
  const owned = blocks.flatMap((block) => {
    const owner = ownerOf(block)
    return owner === undefined ? [] : [`${owner} ${block.spec.cidr}`]
  })
  expect(claims).toEqual(owned.sort())
}

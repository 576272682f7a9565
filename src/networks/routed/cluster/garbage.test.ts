import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type IpamNode, startIpamNode, testPool } from '../../../../test/support/ipam-node.ts'
import { parseCidr } from '../../../base/ip.ts'
import { silentLog } from '../../../base/log.ts'
import type { EventRecorder } from '../../../kube/events.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { createInformer } from '../../../kube/informer.ts'
import { nodes, type PodResource, pods } from '../../../kube/resources/core.ts'
import { affinityName, releaseEmptyBlock } from '../ipam/affinity.ts'
import { allocationsOf, newBlock } from '../ipam/block.ts'
import { blockAffinities, type IPAMBlock, type IPPool, ipamBlocks, ipPools } from '../resources.ts'
import { idleBlocks } from './idle-blocks.ts'
import { routedClusterSide } from './run.ts'

const graceMs = 60
const four = testPool('four', '10.244.0.0/28', 30)
const six = testPool('six', 'fd00::/124', 126)

let kube: FakeKube
let stop: AbortController

beforeEach(() => {
  kube = createFakeKube()
  stop = new AbortController()
  kube.seed(nodes, { metadata: { name: 'work01' } })
  return () => stop.abort()
})

const node = (nodeName = 'work01'): Promise<IpamNode> => startIpamNode({ kube, nodeName, signal: stop.signal })

async function startCollecting(event: EventRecorder['event'] = () => {}): Promise<void> {
  const informers = {
    pods: createInformer(kube, pods, { log: silentLog }),
    nodes: createInformer(kube, nodes, { log: silentLog }),
  }
  await Promise.all([informers.pods.start(stop.signal), informers.nodes.start(stop.signal)])
  const deps = { kube, log: silentLog, events: { event }, ...informers }
  const side = routedClusterSide(deps, { leakGraceMs: graceMs })
  await side.start(stop.signal)
  stop.signal.addEventListener('abort', () => void side.stop())
}

/** The pod that startIpamNode's holders say they are of. */
function podOf(handleId: string, ip?: string): PodResource {
  return {
    metadata: { name: handleId, namespace: 'default' },
    spec: { nodeName: 'work01', containers: [] },
    ...(ip === undefined ? {} : { status: { podIPs: [{ ip }] } }),
  }
}

async function addresses(): Promise<string[]> {
  return (await kube.list(ipamBlocks)).items.flatMap(allocationsOf).map(({ address }) => address)
}

async function blocks(): Promise<string[]> {
  return (await kube.list(ipamBlocks)).items.map(({ spec }) => spec.cidr).sort()
}

const patiently = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 4 * graceMs))

describe('addresses that no pod has', () => {
  it('are released also when a new pod has the name, once that has another address', async () => {
    const work01 = await node()
    const old = await work01.assign('net.a', [four])
    kube.seed(pods, podOf('net.a'))
    await startCollecting()
    await patiently()
    expect(await addresses()).toEqual([old])
    await kube.updateStatus(pods, { ...(await kube.get(pods, 'net.a', 'default')), ...podOf('net.a', '10.244.0.15') })
    await vi.waitFor(async () => expect(await addresses()).toEqual([]), { timeout: 5000 })
  })

  it('stay while one of the addresses of the handle is in use', async () => {
    const work01 = await node()
    const inUse = await work01.assign('net.a', [four])
    await work01.assign('net.a', [six])
    kube.seed(pods, podOf('net.a', inUse))
    await startCollecting()
    await patiently()
    expect(await addresses()).toHaveLength(2)
  })

  it('are asked of the API before they are released: a copy that lags costs no pod its address', async () => {
    const work01 = await node()
    const address = await work01.assign('net.a', [four])
    await startCollecting()
    // The informer learns nothing more.
    kube.intercept(({ verb }) => {
      if (verb === 'watch' || verb === 'list') throw new Error('the watch is broken')
    })
    kube.endWatches()
    kube.seed(pods, podOf('net.a', address))
    await patiently()
    expect(kube.requests.some(({ verb, name }) => verb === 'get' && name === 'net.a')).toBe(true)
    expect(await work01.store.read('10.244.0.0/30').then((block) => block && allocationsOf(block))).not.toEqual([])
  })
})

describe('blocks', () => {
  it('that are empty go, but for one of each family that the node may claim from', async () => {
    kube.seed(ipPools, four, six)
    const work01 = await node()
    for (let index = 0; index < 9; index++) await work01.assign(`net.${index}`, [four])
    await work01.assign('net.six', [six])
    for (let index = 0; index < 9; index++) await work01.release(`net.${index}`)
    await work01.release('net.six')
    expect(await blocks()).toHaveLength(4)
    await startCollecting()
    await vi.waitFor(async () => expect(await blocks()).toHaveLength(2), { timeout: 5000 })
    expect((await kube.list(blockAffinities)).items).toHaveLength(2)
    await patiently()
    expect((await blocks()).map((cidr) => cidr.includes(':'))).toEqual([expect.any(Boolean), true])
  })

  it('stay when an address is taken while they are given up, and stay claimed', async () => {
    const work01 = await node()
    await work01.assign('net.a', [four])
    await work01.release('net.a')
    const [empty] = (await kube.list(ipamBlocks)).items
    if (empty === undefined) throw new Error('no block')
    await work01.assign('net.b', [four])
    expect(await releaseEmptyBlock({ kube, store: work01.store }, { nodeName: 'work01', block: empty })).toBe(false)
    expect((await kube.list(blockAffinities)).items.map(({ spec }) => spec.state)).toEqual(['confirmed'])
    expect((await kube.list(ipamBlocks)).items[0]?.spec.affinity).toBe('host:work01')
  })

  it('of nobody go when they are empty', async () => {
    const { affinity: _, ...spec } = newBlock(parseCidr('10.244.0.0/30'), { nodeName: 'x', now: 0 }).spec
    const virtual = newBlock(parseCidr('10.244.0.4/30'), { nodeName: 'x', now: 0 })
    kube.seed(ipamBlocks, { metadata: { name: '10-244-0-0-30' }, spec })
    kube.seed(ipamBlocks, { ...virtual, spec: { ...virtual.spec, affinity: 'virtual:load-balancer' } })
    await startCollecting()
    await vi.waitFor(async () => expect(await blocks()).toEqual(['10.244.0.4/30']), { timeout: 5000 })
  })

  it('are idle where no pool selects their node any more, even the last one', () => {
    const block = newBlock(parseCidr('10.244.0.0/30'), { nodeName: 'work01', now: 0 })
    const facts = (pools: IPPool[]) => ({ blocks: [block], pools, nodes: [{ metadata: { name: 'work01' } }] })
    expect(idleBlocks(facts([four]))).toEqual([])
    for (const pools of [[], [{ ...four, spec: { ...four.spec, disabled: true } }]]) {
      expect(idleBlocks(facts(pools))).toEqual(['10.244.0.0/30'])
    }
  })
})

describe('claims', () => {
  it.each([
    ['pending, of a block that is not there', 'pending', undefined, []],
    ['pending, of a block of another node', 'pending', 'work02', ['work02']],
    ['confirmed, without a block', 'confirmed', undefined, []],
    ['given up half, of an empty block', 'pendingDeletion', 'work01', []],
  ] as const)('that are %s, end', async (_what, state, owner, owners) => {
    kube.seed(nodes, { metadata: { name: 'work02' } })
    kube.seed(ipPools, four)
    const cidr = '10.244.0.0/30'
    if (owner !== undefined) kube.seed(ipamBlocks, newBlock(parseCidr(cidr), { nodeName: owner, now: 0 }))
    if (owner === 'work02') kube.seed(blockAffinities, claim('work02', cidr, 'confirmed'))
    kube.seed(blockAffinities, claim('work01', cidr, state))
    await startCollecting()
    await vi.waitFor(
      async () => {
        const claims = (await kube.list(blockAffinities)).items
        expect(claims.map(({ spec }) => spec.node)).toEqual(owners)
      },
      { timeout: 5000 },
    )
    expect((await kube.list(ipamBlocks)).items.map(({ spec }) => spec.affinity)).toEqual(
      owners.map((name) => `host:${name}`),
    )
  })

  it('of a block in use that was to be given up are confirmed again', async () => {
    const work01 = await node()
    const address = await work01.assign('net.a', [four])
    kube.seed(pods, podOf('net.a', address))
    const [affinity] = (await kube.list(blockAffinities)).items
    if (affinity === undefined) throw new Error('no claim')
    await kube.update(blockAffinities, { ...affinity, spec: { ...affinity.spec, state: 'pendingDeletion' } })
    await startCollecting()
    await vi.waitFor(async () => expect((await kube.list(blockAffinities)).items[0]?.spec.state).toBe('confirmed'), {
      timeout: 5000,
    })
    expect(await addresses()).toEqual([address])
  })
})

it('a pool that got in by kubectl says in its status and by an event why nothing is given out, until it is right', async () => {
  kube.seed(ipPools, testPool('a', '10.1.2.0/24', 26), testPool('b', '10.1.0.0/16', 26))
  const events: string[] = []
  await startCollecting((about, type, reason, message) => {
    events.push(`${type} ${reason} ${about.kind} ${about.metadata.name}: ${message}`)
  })
  const condition = async (name: string) => (await kube.get(ipPools, name)).status?.conditions?.[0]
  const expectReason = (name: string, reason: string) =>
    vi.waitFor(async () => expect(await condition(name)).toMatchObject({ type: 'Allocatable', reason }), {
      timeout: 5000,
    })
  await expectReason('a', 'OK')
  await expectReason('b', 'CIDROverlap')
  expect(events).toEqual([
    'Warning CIDROverlap IPPool b: no addresses are given out: spec.cidr: 10.1.0.0/16 overlaps 10.1.2.0/24 of IPPool a',
  ])
  await kube.delete(ipPools, 'a')
  await expectReason('b', 'OK')
})

it('a node whose object was deleted under its pods keeps their addresses and the block until they are gone', async () => {
  const work01 = await node()
  const address = await work01.assign('net.a', [four])
  await work01.assign('net.gone', [four])
  kube.seed(pods, podOf('net.a', address))
  await startCollecting()
  await kube.delete(nodes, 'work01')
  const holders = async () =>
    (await kube.list(ipamBlocks)).items.flatMap(allocationsOf).map(({ attributes }) => attributes.handle_id)
  await vi.waitFor(async () => expect(await holders()).toEqual(['net.a']), { timeout: 5000 })
  expect((await kube.list(ipamBlocks)).items[0]?.spec.affinity).toBe('host:work01')
  await kube.delete(pods, 'net.a', { namespace: 'default', gracePeriodSeconds: 0 })
  await vi.waitFor(async () => expect((await kube.list(blockAffinities)).items).toEqual([]), { timeout: 5000 })
  expect(await blocks()).toEqual([])
})

it('a gone node takes the addresses of its tunnels with it, and what is nobody’s keeps nothing else', async () => {
  const work02 = await node('work02')
  await work02.assign('vxlan-tunnel-addr-work02', [four])
  const [block] = (await kube.list(ipamBlocks)).items
  if (block === undefined) throw new Error('no block')
  const attributes = [{ handle_id: 'vxlan-tunnel-addr-work02', secondary: { node: 'work02' } }, { handle_id: 'who' }]
  await kube.update(ipamBlocks, { ...block, spec: { ...block.spec, attributes, ...taken(block, [0, 1]) } })
  await startCollecting()
  await vi.waitFor(
    async () => {
      expect(await addresses()).toEqual([
        block.spec.cidr.replace(/\d+\/30$/, (last) => `${Number.parseInt(last, 10) + 1}`),
      ])
      expect((await kube.list(blockAffinities)).items).toEqual([])
    },
    { timeout: 5000 },
  )
})

function claim(nodeName: string, cidr: string, state: 'pending' | 'confirmed' | 'pendingDeletion') {
  return {
    metadata: { name: affinityName(nodeName, cidr) },
    spec: { state, node: nodeName, cidr, type: 'host', deleted: 'false' },
  }
}

function taken({ spec }: IPAMBlock, indices: readonly number[]): Partial<IPAMBlock['spec']> {
  return {
    allocations: spec.allocations.map((_, ordinal) => indices[ordinal] ?? null),
    unallocated: spec.unallocated.filter((ordinal) => indices[ordinal] === undefined),
  }
}

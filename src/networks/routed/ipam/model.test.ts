import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type IpamNode, startIpamNode, testPool } from '../../../../test/support/ipam-node.ts'
import { type Cidr, cidrContains, cidrsOverlap, parseCidr } from '../../../base/ip.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { blockAffinities, type IPAMConfiguration, type IPPool, ipamBlocks, ipamConfigurations } from '../resources.ts'
import { isConfirmed } from './affinity.ts'
import { allocationsOf, ownerOf } from './block.ts'
import { IpamError } from './errors.ts'

/*
 * IPAM against a reference model. One after the other, the model says what must come out of each step; side by side,
 * with requests, answers and watch events in any order, it says what must hold at any time and at the end.
 */

const runs = process.env.TWINLANE_LONG_TESTS === '1' ? 3000 : 60
const nodeNames = ['work01', 'work02', 'work03']
const handles = Array.from({ length: 14 }, (_, index) => `net.h${index}`)

interface Setting {
  readonly pool: IPPool
  readonly reserved: readonly Cidr[]
  readonly configuration: IPAMConfiguration['spec']
}

const setting: fc.Arbitrary<Setting> = fc.record({
  pool: fc.constantFrom(
    testPool('four', '10.244.0.0/29', 30),
    testPool('four', '10.244.0.0/29', 32),
    testPool('six', 'fd00::/125', 126),
    testPool('six', 'fd00::/125', 128),
  ),
  reserved: fc.constantFrom([], [parseCidr('10.244.0.2/32'), parseCidr('fd00::4/126')]),
  configuration: fc.record({ strictAffinity: fc.boolean(), maxBlocksPerHost: fc.constantFrom(0, 1, 3) }),
})

const step = fc.record({
  node: fc.nat(nodeNames.length - 1),
  handle: fc.nat(handles.length - 1),
  isRelease: fc.boolean(),
})

type Step = { node: number; handle: number; isRelease: boolean }

/** What IPAM must do: whose a block is, and in which order its addresses are given. */
class Model {
  readonly #setting: Setting
  /** Address to holder. */
  readonly held = new Map<string, string>()
  /** Block to its owner and its free addresses, longest free first. */
  readonly #blocks = new Map<string, { owner: string; free: string[] }>()

  constructor(setting: Setting) {
    this.#setting = setting
  }

  get isStrict(): boolean {
    return this.#setting.configuration.strictAffinity === true
  }

  /** Addresses that the node may be given now; none means that it must be refused. */
  permitted(node: string): ReadonlySet<string> {
    const own = this.#blocksOf(node).flatMap(({ free }) => free.find((address) => !this.#isReserved(address)) ?? [])
    if (own.length > 0) return new Set(own)
    if (this.#blocksOf(node).length >= (this.#setting.configuration.maxBlocksPerHost || 20)) return new Set()
    const unclaimed = this.#allBlocks().filter((cidr) => !this.#blocks.has(cidr))
    const fresh = unclaimed.flatMap((cidr) => addressesIn(cidr).find((address) => !this.#isReserved(address)) ?? [])
    if (fresh.length > 0 || this.isStrict) return new Set(fresh)
    return new Set(
      [...this.#blocks.values()].flatMap(({ free }) => free.find((address) => !this.#isReserved(address)) ?? []),
    )
  }

  assign(node: string, handle: string, address: string): void {
    const cidr = this.#allBlocks().find((each) => cidrContains(parseCidr(each), address)) ?? ''
    const block = this.#blocks.get(cidr) ?? { owner: node, free: addressesIn(cidr) }
    block.free = block.free.filter((each) => each !== address)
    this.#blocks.set(cidr, block)
    this.held.set(address, handle)
  }

  release(handle: string): void {
    for (const [address] of [...this.held].filter(([, holder]) => holder === handle)) {
      this.held.delete(address)
      for (const [cidr, block] of this.#blocks) {
        if (cidrContains(parseCidr(cidr), address)) block.free.push(address)
      }
    }
  }

  #blocksOf(node: string): { free: string[] }[] {
    return [...this.#blocks.values()].filter(({ owner }) => owner === node)
  }

  #isReserved(address: string): boolean {
    return this.#setting.reserved.some((cidr) => cidrContains(cidr, address))
  }

  #allBlocks(): string[] {
    const { cidr, blockSize = 0 } = this.#setting.pool.spec
    return addressesIn(cidr)
      .map((address) => parseCidr(`${address}/${blockSize}`))
      .map(({ network, prefixLength }) => `${network}/${prefixLength}`)
      .filter((each, index, all) => all.indexOf(each) === index)
  }
}

function addressesIn(cidr: string): string[] {
  const { first, last, family } = parseCidr(cidr)
  const count = Number(last - first) + 1
  const prefix = family === 4 ? '10.244.0.' : 'fd00::'
  const base = Number(first & 0xffn)
  const text = (number: number): string => (family === 4 ? `${number}` : number === 0 ? '' : number.toString(16))
  return Array.from({ length: count }, (_, index) => `${prefix}${text(base + index)}`)
}

async function createNodes(
  kube: FakeKube,
  { reserved, configuration }: Setting,
  { signal, now = Date.now }: { signal: AbortSignal; now?: () => number },
) {
  kube.seed(ipamConfigurations, { metadata: { name: 'default' }, spec: configuration })
  const clock = { now: Date.now, sleep: async () => {} }
  return Promise.all(nodeNames.map((nodeName) => startIpamNode({ kube, nodeName, signal, clock, now, reserved })))
}

describe('one after the other', () => {
  it('every address is the one, or the refusal, that the model says', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(step, { maxLength: 40 }), async (given, steps) => {
        const kube = createFakeKube()
        const stop = new AbortController()
        const nodes = await createNodes(kube, given, { signal: stop.signal })
        const model = new Model(given)
        try {
          for (const each of steps) await doOne(each, { nodes, model, pool: given.pool })
          expect(await heldInApi(kube)).toEqual(sorted(model.held))
        } finally {
          stop.abort()
        }
      }),
      { numRuns: runs },
    )
  }, 300_000)
})

async function doOne(
  { node, handle, isRelease }: Step,
  { nodes, model, pool }: { nodes: readonly IpamNode[]; model: Model; pool: IPPool },
): Promise<void> {
  const ipam = nodes[node] as IpamNode
  const handleId = handles[handle] ?? ''
  if (isRelease) {
    await ipam.release(handleId)
    model.release(handleId)
    return
  }
  // A handle that holds something is asked for by its own node only: it is one container.
  if ([...model.held.values()].includes(handleId)) return
  const permitted = model.permitted(ipam.nodeName)
  const address = await ipam.assign(handleId, [pool]).catch(refused)
  if (address === undefined) expect([...permitted]).toEqual([])
  else {
    expect([...permitted]).toContain(address)
    model.assign(ipam.nodeName, handleId, address)
  }
}

describe('side by side', () => {
  it('no address is held twice, none is lost, and every claim is whole, in whatever order things happen', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.scheduler(), fc.array(step, { maxLength: 30 }), async (given, scheduler, steps) => {
        const stop = new AbortController()
        const kube = createFakeKube()
        // Minutes pass at each look: every block is old enough to be taken over by another node once it is empty.
        let minutes = 0
        const now = (): number => Date.now() + 61_000 * minutes++
        const nodes = await createNodes(shuffled(kube, scheduler), given, { signal: stop.signal, now })
        const live = new Map<string, string>()
        try {
          await scheduler.waitFor(Promise.all(lanesOf(steps).map((lane) => runLane(lane, { nodes, live, given }))))
          await expectWhole(kube, given, live)
        } finally {
          stop.abort()
        }
      }),
      { numRuns: runs },
    )
  }, 300_000)
})

/** Requests and answers, and the events of watches, arrive when the scheduler says. */
function shuffled(kube: FakeKube, scheduler: fc.Scheduler): FakeKube {
  const late = async <T>(run: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), 'request')
    const answer = await run()
    await scheduler.schedule(Promise.resolve(), 'answer')
    return answer
  }
  return {
    ...kube,
    get: (...args) => late(() => kube.get(...args)),
    find: (...args) => late(() => kube.find(...args)),
    create: (...args) => late(() => kube.create(...args)),
    update: (...args) => late(() => kube.update(...args)),
    delete: (...args) => late(() => kube.delete(...args)),
    async *watch(...args) {
      for await (const event of kube.watch(...args)) {
        await scheduler.schedule(Promise.resolve(), 'event')
        yield event
      }
    },
  }
}

/** Steps of one container follow one another; those of different ones do not wait. A container stays on its node. */
function lanesOf(steps: readonly Step[]): Step[][] {
  const lanes = new Map<number, Step[]>()
  for (const each of steps) lanes.set(each.handle, [...(lanes.get(each.handle) ?? []), each])
  return [...lanes.values()].map((lane) => lane.map((each) => ({ ...each, node: each.handle % nodeNames.length })))
}

async function runLane(
  lane: readonly Step[],
  { nodes, live, given }: { nodes: readonly IpamNode[]; live: Map<string, string>; given: Setting },
): Promise<void> {
  for (const { node, handle, isRelease } of lane) {
    const ipam = nodes[node] as IpamNode
    const handleId = handles[handle] ?? ''
    if (isRelease) {
      for (const [address, holder] of [...live]) if (holder === handleId) live.delete(address)
      await ipam.release(handleId)
      continue
    }
    const address = await ipam.assign(handleId, [given.pool]).catch(refused)
    if (address === undefined) continue
    const holder = live.get(address)
    if (holder !== undefined && holder !== handleId) throw new Error(`${address} is of ${holder} and of ${handleId}`)
    live.set(address, handleId)
  }
}

async function expectWhole(kube: FakeKube, given: Setting, live: ReadonlyMap<string, string>): Promise<void> {
  expect(await heldInApi(kube)).toEqual(sorted(live))
  const { pool, reserved, configuration } = given
  for (const address of live.keys()) expect(reserved.some((cidr) => cidrContains(cidr, address))).toBe(false)
  const blocks = (await kube.list(ipamBlocks)).items
  const affinities = (await kube.list(blockAffinities)).items
  expect(affinities.filter((affinity) => !isConfirmed(affinity))).toEqual([])
  expect(affinities.map(({ spec }) => `host:${spec.node} ${spec.cidr}`).sort()).toEqual(
    blocks.map(({ spec }) => `${spec.affinity} ${spec.cidr}`).sort(),
  )
  for (const name of nodeNames) {
    const owned = blocks.filter((block) => ownerOf(block) === name)
    expect(owned.length).toBeLessThanOrEqual(configuration.maxBlocksPerHost || 20)
  }
  if (configuration.strictAffinity === true) {
    for (const block of blocks) {
      for (const { attributes } of allocationsOf(block)) expect(attributes.secondary?.node).toBe(ownerOf(block))
    }
  }
  for (const { spec } of blocks) expect(cidrsOverlap(parseCidr(pool.spec.cidr), parseCidr(spec.cidr))).toBe(true)
}

async function heldInApi(kube: FakeKube): Promise<[string, string][]> {
  const found = (await kube.list(ipamBlocks)).items.flatMap(allocationsOf)
  return found
    .map(({ address, attributes }): [string, string] => [address, attributes.handle_id ?? ''])
    .sort(([a], [b]) => a.localeCompare(b))
}

function sorted(held: ReadonlyMap<string, string>): [string, string][] {
  return [...held].sort(([a], [b]) => a.localeCompare(b))
}

function refused(error: unknown): undefined {
  if (!(error instanceof IpamError)) throw error
  return undefined
}

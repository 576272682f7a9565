import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Calm } from '../../../base/calm.ts'
import { defer } from '../../../base/clock.ts'
import { parseCidr } from '../../../base/ip.ts'
import { silentLog } from '../../../base/log.ts'
import { KubeError } from '../../../kube/errors.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { createInformer } from '../../../kube/informer.ts'
import {
  blockAffinities,
  type IPAMConfiguration,
  type IPPool,
  ipamBlocks,
  ipamConfigurations,
  ipamHandles,
} from '../resources.ts'
import { affinityName, type ClaimDeps, claimBlock, releaseBlock } from './affinity.ts'
import { Assigner } from './assign.ts'
import { allocationsOf } from './block.ts'
import { BlockStore } from './block-store.ts'
import { BlockView } from './block-view.ts'
import { HandleIndex } from './handle-index.ts'
import { releaseByHandle, releaseOwn } from './release.ts'

let kube: FakeKube
let stop: AbortController

beforeEach(() => {
  kube = createFakeKube()
  stop = new AbortController()
  return () => stop.abort()
})

function pool(cidr: string, blockSize: number): IPPool {
  return { metadata: { name: 'default-ipv4-ippool' }, spec: { cidr, blockSize } }
}

function familyOfPools([first]: readonly IPPool[]): 4 | 6 {
  return first?.spec.cidr.includes(':') === true ? 6 : 4
}

async function node(nodeName: string) {
  const informer = createInformer(kube, ipamBlocks, { log: silentLog })
  await informer.start(stop.signal)
  const view = new BlockView(informer)
  const store = new BlockStore(kube, view)
  const handles = new HandleIndex({ kube, view, log: silentLog, calm: new Calm() })
  const deps = { kube, store, handles, nodeName, now: () => Date.now() }
  const assigner = new Assigner(deps)
  return {
    deps,
    assign: (handleId: string, pools: IPPool[], address?: string, signal?: AbortSignal) =>
      assigner.assign(
        { holder: { handleId, secondary: { node: nodeName } }, family: familyOfPools(pools), pools, address },
        signal,
      ),
    release: (handleId: string) => releaseByHandle(deps, handleId),
  }
}

async function allocated(): Promise<{ address: string; handle: string }[]> {
  const { items } = await kube.list(ipamBlocks)
  return items.flatMap(allocationsOf).map(({ address, attributes }) => ({
    address,
    handle: attributes.handle_id ?? '',
  }))
}

function configure(spec: IPAMConfiguration['spec']): void {
  kube.seed(ipamConfigurations, { metadata: { name: 'default' }, spec })
}

describe('assigning', () => {
  const small = [pool('10.244.0.0/28', 30)]

  it('claims a block through a pending affinity and confirms it', async () => {
    const work01 = await node('work01')
    const address = await work01.assign('net.c1', [pool('10.244.0.0/16', 24)])
    const [block] = (await kube.list(ipamBlocks)).items
    const affinity = await kube.get(blockAffinities, affinityName('work01', block?.spec.cidr ?? ''))
    expect(block?.spec.affinity).toBe('host:work01')
    expect(affinity.spec.state).toBe('confirmed')
    expect(address).toBe(block?.spec.cidr.replace('/24', ''))
    const writes = kube.requests.filter(({ verb }) => verb === 'create' || verb === 'update')
    expect(writes.map(({ verb, type }) => `${verb} ${type?.kind}`)).toEqual([
      'create BlockAffinity',
      'create IPAMBlock',
      'update BlockAffinity',
      'update IPAMBlock',
    ])
  })

  it('takes one write and no read when the node has room, and the handle follows by itself', async () => {
    const work01 = await node('work01')
    await work01.assign('net.c1', small)
    await work01.deps.handles.idle()
    kube.requests.length = 0
    await work01.assign('net.c2', small)
    const verbs = (): string[] => kube.requests.map(({ verb, type }) => `${verb} ${type?.kind}`)
    expect(verbs()).toEqual(['update IPAMBlock'])
    await work01.deps.handles.idle()
    expect(verbs()).toEqual(['update IPAMBlock', 'create IPAMHandle'])
  })

  it('writes nothing for whoever has given up while the write of another was under way', async () => {
    const work01 = await node('work01')
    const wide = [pool('10.244.0.0/24', 26)]
    await work01.assign('net.c0', wide)
    const server = defer()
    const update = vi.spyOn(kube, 'update').mockImplementationOnce(async () => {
      await server.promise
      throw new KubeError('PUT: no answer', { statusCode: 0 })
    })
    const first = work01.assign('net.c1', wide)
    await vi.waitFor(() => expect(update).toHaveBeenCalled())
    const giveUp = new AbortController()
    const second = work01.assign('net.c2', wide, undefined, giveUp.signal)
    giveUp.abort(new Error('given up'))
    server.resolve()
    await expect(first).rejects.toThrow('no answer')
    await expect(second).rejects.toThrow('given up')
    expect(update).toHaveBeenCalledTimes(1)
    expect(await allocated()).toMatchObject([{ handle: 'net.c0' }])
  })

  it('puts what comes while a write is under way into one write', async () => {
    const work01 = await node('work01')
    const wide = [pool('10.244.0.0/24', 26)]
    await work01.assign('net.c0', wide)
    await work01.deps.handles.idle()
    kube.requests.length = 0
    const addresses = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((handle) => work01.assign(handle, wide)))
    expect(new Set(addresses).size).toBe(5)
    expect(kube.requests.filter(({ type }) => type?.kind === 'IPAMBlock').length).toBeLessThanOrEqual(2)
  })

  it('gives the same holder the same address', async () => {
    const work01 = await node('work01')
    expect(await work01.assign('net.c1', small)).toBe(await work01.assign('net.c1', small))
    expect(await allocated()).toHaveLength(1)
  })

  it('gives fifty at once on two nodes an address each, and leaks nothing', async () => {
    const pools = [pool('10.244.0.0/26', 29)]
    const nodes = [await node('work01'), await node('work02')]
    const handles = Array.from({ length: 50 }, (_, index) => `net.c${index}`)
    const addresses = await Promise.all(handles.map((handle, index) => nodes[index % 2]!.assign(handle, pools)))
    expect(new Set(addresses).size).toBe(50)
    expect((await allocated()).map(({ handle }) => handle).sort()).toEqual([...handles].sort())
    await Promise.all(nodes.map(({ deps }) => deps.handles.idle()))
    expect((await kube.list(ipamHandles)).items).toHaveLength(50)

    await Promise.all(handles.map((handle, index) => nodes[(index + 1) % 2]!.release(handle)))
    expect(await allocated()).toEqual([])
    expect((await kube.list(ipamHandles)).items).toEqual([])
  })

  it('gives exactly as many as there are when more ask, and leaves no handle of the others', async () => {
    const nodes = [await node('work01'), await node('work02'), await node('work03')]
    const tries = Array.from({ length: 24 }, (_, index) => nodes[index % 3]!.assign(`net.c${index}`, small))
    const results = await Promise.allSettled(tries)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(16)
    expect(await allocated()).toHaveLength(16)
    await Promise.all(nodes.map(({ deps }) => deps.handles.idle()))
    expect((await kube.list(ipamHandles)).items).toHaveLength(16)
  })

  it('borrows from another node when no block is left', async () => {
    const [work01, work02] = [await node('work01'), await node('work02')]
    const one = [pool('10.244.0.0/30', 30)]
    await work01.assign('net.c1', one)
    expect(await work02.assign('net.c2', one)).toBe('10.244.0.1')
    expect((await kube.list(blockAffinities)).items).toHaveLength(1)
  })

  it('does not borrow with strict affinity', async () => {
    configure({ strictAffinity: true })
    const [work01, work02] = [await node('work01'), await node('work02')]
    const one = [pool('10.244.0.0/30', 30)]
    await work01.assign('net.c1', one)
    await expect(work02.assign('net.c2', one)).rejects.toThrow(/strict affinity enabled in pools: \[10.244.0.0\/30\]/)
  })

  it('neither claims nor borrows beyond the block limit', async () => {
    configure({ maxBlocksPerHost: 1 })
    const [work01, work02] = [await node('work01'), await node('work02')]
    await work02.assign('net.other', small)
    for (const handle of ['a', 'b', 'c', 'd']) await work01.assign(handle, small)
    await expect(work01.assign('e', small)).rejects.toThrow('per host block limit (1 of 1)')
    await Promise.all([work01, work02].map(({ deps }) => deps.handles.idle()))
    expect((await kube.list(ipamHandles)).items).toHaveLength(5)
  })

  it('names the pool when every address is in use', async () => {
    const work01 = await node('work01')
    for (const handle of ['a', 'b', 'c', 'd']) await work01.assign(handle, [pool('10.244.0.0/30', 30)])
    await expect(work01.assign('e', [pool('10.244.0.0/30', 30)])).rejects.toThrow(
      'failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; No IPs available in pools: [10.244.0.0/30]',
    )
  })

  it('does not believe in a block that was deleted behind its back', async () => {
    const work01 = await node('work01')
    const first = await work01.assign('net.c1', small)
    await work01.release('net.c1')
    kube.endWatches()
    await kube.delete(ipamBlocks, (await kube.list(ipamBlocks)).items[0]?.metadata.name ?? '')
    await kube.delete(blockAffinities, (await kube.list(blockAffinities)).items[0]?.metadata.name ?? '')
    expect(await work01.assign('net.c2', small)).toBe(first)
    expect((await allocated()).map(({ handle }) => handle)).toEqual(['net.c2'])
  })

  it('gives a certain address once and says who has it', async () => {
    const work01 = await node('work01')
    expect(await work01.assign('net.c1', small, '10.244.0.9')).toBe('10.244.0.9')
    await expect(work01.assign('net.c2', small, '10.244.0.9')).rejects.toThrow('already assigned to net.c1')
    await expect(work01.assign('net.c3', small, '192.0.2.1')).rejects.toThrow('in no pool')
    await work01.deps.handles.idle()
    expect((await kube.list(ipamHandles)).items).toHaveLength(1)
  })
})

describe('a certain address', () => {
  it('is taken over from an older container of the same pod interface, and from nobody else', async () => {
    const work01 = await node('work01')
    const pools = [pool('10.244.0.0/28', 30)]
    await work01.assign('net.old', pools, '10.244.0.9')
    const request = { family: 4 as const, pools, address: '10.244.0.9' }
    const assigner = new Assigner(work01.deps)
    const holder = { handleId: 'net.new', secondary: {} }
    await expect(assigner.assign({ ...request, holder, isPredecessor: () => false })).rejects.toThrow('net.old')
    expect(await assigner.assign({ ...request, holder, isPredecessor: ({ handleId }) => handleId === 'net.old' })).toBe(
      '10.244.0.9',
    )
    await work01.release('net.old')
    expect(await allocated()).toEqual([{ address: '10.244.0.9', handle: 'net.new' }])
  })

  it("of another node's block is not given with strict affinity", async () => {
    const [work01, work02] = [await node('work01'), await node('work02')]
    const pools = [pool('10.244.0.0/28', 30)]
    await work01.assign('net.a', pools, '10.244.0.9')
    expect(await work02.assign('net.b', pools, '10.244.0.10')).toBe('10.244.0.10')
    configure({ strictAffinity: true })
    await expect(work02.assign('net.c', pools, '10.244.0.11')).rejects.toThrow(
      '10.244.0.11 is in the block 10.244.0.8/30 of node work01 and strict affinity is enabled',
    )
    expect(await work01.assign('net.d', pools, '10.244.0.11')).toBe('10.244.0.11')
  })
})

describe('when every block is claimed', () => {
  const two = [pool('10.244.0.0/29', 30)]
  const later = (deps: ClaimDeps & { handles: HandleIndex }) =>
    new Assigner({ ...deps, now: () => Date.now() + 120_000 })
  const ask = (assigner: Assigner, handleId: string) =>
    assigner.assign({ holder: { handleId, secondary: {} }, family: 4, pools: two })
  const owners = async () => (await kube.list(ipamBlocks)).items.map(({ spec }) => spec.affinity).sort()

  it('an empty one that another node has had for a while is taken over as a whole', async () => {
    const [work01, work02, work03] = [await node('work01'), await node('work02'), await node('work03')]
    await work01.assign('net.a', two)
    await work02.assign('net.b', two)
    await work02.release('net.b')
    await ask(later(work03.deps), 'net.c')
    expect(await owners()).toEqual(['host:work01', 'host:work03'])
    expect((await kube.list(blockAffinities)).items.map(({ spec }) => spec.node).sort()).toEqual(['work01', 'work03'])
    await work02.assign('net.d', two)
    expect(await allocated()).toHaveLength(3)
  })

  it('one that has just been claimed, or is in use, is left to its node: an address is borrowed', async () => {
    const [work01, work02, work03] = [await node('work01'), await node('work02'), await node('work03')]
    await work01.assign('net.a', two)
    await work02.assign('net.b', two)
    await ask(later(work03.deps), 'net.c')
    await work02.release('net.b')
    await work03.assign('net.d', two)
    expect(await owners()).toEqual(['host:work01', 'host:work02'])
  })
})

describe('a pool that was made anew with another block size', () => {
  it('gives out no address twice: blocks of before are used as they are, and nothing that overlaps them is claimed', async () => {
    const work01 = await node('work01')
    const old = [pool('10.244.0.0/28', 30)]
    await work01.assign('net.a', old, '10.244.0.5')
    for (const [size, free] of [
      [29, 3 + 8],
      [32, 3 + 12],
    ] as const) {
      const renewed = [pool('10.244.0.0/28', size)]
      const handles = Array.from({ length: free }, (_, index) => `net.${size}-${index}`)
      for (const handle of handles) await work01.assign(handle, renewed)
      await expect(work01.assign('net.late', renewed)).rejects.toThrow('No IPs available')
      const addresses = (await allocated()).map(({ address }) => address)
      expect(new Set(addresses).size).toBe(addresses.length)
      for (const handle of handles) await work01.release(handle)
      for (const block of (await kube.list(ipamBlocks)).items) {
        if (block.spec.cidr !== '10.244.0.4/30')
          await releaseBlock(work01.deps, { nodeName: 'work01', cidr: block.spec.cidr })
      }
    }
    expect(await work01.assign('net.certain', [pool('10.244.0.0/28', 28)], '10.244.0.6')).toBe('10.244.0.6')
    expect((await kube.list(ipamBlocks)).items.map(({ spec }) => spec.cidr)).toEqual(['10.244.0.4/30'])
  })
})

describe('claiming and giving up blocks', () => {
  const cidr = parseCidr('10.244.0.0/30')

  it("leaves another's block alone and takes back its own pending affinity", async () => {
    const [work01, work02] = [await node('work01'), await node('work02')]
    await claimBlock(work01.deps, cidr)
    expect(await claimBlock(work02.deps, cidr)).toBeUndefined()
    expect((await kube.list(blockAffinities)).items.map(({ spec }) => spec.node)).toEqual(['work01'])
  })

  it('completes a claim that was cut short after the affinity, and after the block', async () => {
    for (const cut of ['create IPAMBlock', 'update BlockAffinity']) {
      kube = createFakeKube()
      const work01 = await node('work01')
      kube.intercept(({ verb, type }) => {
        if (`${verb} ${type?.kind}` === cut) throw new Error('killed')
      })
      await expect(claimBlock(work01.deps, cidr)).rejects.toThrow('killed')
      kube.intercept(undefined)
      expect((await claimBlock(work01.deps, cidr))?.spec.affinity).toBe('host:work01')
      expect((await kube.list(blockAffinities)).items.map(({ spec }) => spec.state)).toEqual(['confirmed'])
    }
  })

  it('deletes an empty block, and leaves a used one without owner until it is empty', async () => {
    const work01 = await node('work01')
    await work01.assign('net.c1', [pool('10.244.0.0/30', 30)])
    await releaseBlock(work01.deps, { nodeName: 'work01', cidr: '10.244.0.0/30' })
    const [block] = (await kube.list(ipamBlocks)).items
    expect(block?.spec.affinity).toBeUndefined()
    expect((await kube.list(blockAffinities)).items).toEqual([])
    await work01.release('net.c1')
    expect((await kube.list(ipamBlocks)).items).toEqual([])
  })
})

describe('releasing', () => {
  it('is done again without harm', async () => {
    const work01 = await node('work01')
    const address = await work01.assign('net.c1', [pool('10.244.0.0/30', 30)])
    expect(await work01.release('net.c1')).toEqual([address])
    expect(await work01.release('net.c1')).toEqual([])
  })

  it('on the node itself reads nothing and lets the handle follow', async () => {
    const work01 = await node('work01')
    await work01.assign('net.c1', [pool('10.244.0.0/24', 26)])
    await work01.deps.handles.idle()
    kube.requests.length = 0
    await releaseOwn(work01.deps, 'net.c1')
    expect(kube.requests.map(({ verb, type }) => `${verb} ${type?.kind}`)).toEqual(['update IPAMBlock'])
    await work01.deps.handles.idle()
    expect(await allocated()).toEqual([])
    expect((await kube.list(ipamHandles)).items).toEqual([])
  })

  it('looks where a write ended without an answer', async () => {
    const work01 = await node('work01')
    kube.intercept(({ verb, type }) => {
      if (verb === 'update' && type?.kind === 'IPAMBlock') throw new Error('killed')
    })
    await expect(work01.assign('net.c1', [pool('10.244.0.0/30', 30)])).rejects.toThrow('killed')
    kube.intercept(undefined)
    kube.requests.length = 0
    await releaseOwn(work01.deps, 'net.c1')
    expect(kube.requests.map(({ verb, type }) => `${verb} ${type?.kind}`)).toContain('get IPAMBlock')
    expect(work01.deps.handles.doubtful('net.c1')).toEqual([])
  })
})

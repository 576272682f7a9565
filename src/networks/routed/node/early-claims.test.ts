import { beforeEach, describe, expect, it } from 'vitest'
import { type IpamNode, startIpamNode, testPool } from '../../../../test/support/ipam-node.ts'
import { Calm } from '../../../base/calm.ts'
import { silentLog } from '../../../base/log.ts'
import { createFakeKernel, type FakeKernel } from '../../../kernel/fake.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { allocationsOf } from '../ipam/block.ts'
import { isEarlyHandle, settledHandleId } from '../ipam/handles.ts'
import { releaseOwn } from '../ipam/release.ts'
import { ipamBlocks, ipamHandles } from '../resources.ts'
import { EarlyClaims } from './early-claims.ts'
import { formatAlias, hostInterfaceName } from './names.ts'

const pool = testPool('four', '10.244.0.0/24', 26)
const uid = '0b6f1f8e-6c1a-4d0e-9a2b-3f4c5d6e7f80'
const key = { pod: { uid }, networkName: 'net', ifName: 'eth0' }
const early = `net.pod-${uid}`

let kube: FakeKube
let kernel: FakeKernel
let node: IpamNode
let claims: EarlyClaims

beforeEach(async () => {
  kube = createFakeKube()
  kernel = createFakeKernel()
  kube.seed(nodes, { metadata: { name: 'work01' } })
  const stop = new AbortController()
  node = await startIpamNode({ kube, nodeName: 'work01', signal: stop.signal })
  claims = newClaims()
  return () => stop.abort()
})

function newClaims(): EarlyClaims {
  const { store, handles } = node
  return new EarlyClaims({ node: { nodeName: 'work01', kernel, calm: new Calm(), log: silentLog }, store, handles })
}

const claim = (of = claims): Promise<void> =>
  of.claim(key, 'any', async (handleId) => [await node.assign(handleId, [pool])])

const take = (by: string, wish = 'any', mayUse = () => true): Promise<readonly string[] | undefined> =>
  claims.take(key, { wish, by, mayUse })

async function holders(): Promise<(string | null | undefined)[]> {
  return (await kube.list(ipamBlocks)).items.flatMap(allocationsOf).map(({ attributes }) => attributes.handle_id)
}

/** The host end as an ADD leaves it; testPool's pods are in `default` and named like their handle. */
async function wire(containerId: string, address: string): Promise<void> {
  const name = hostInterfaceName({ namespace: 'default', name: early }, 'eth0')
  kernel.addDevice(undefined, name)
  const alias = formatAlias({ containerId, ifName: 'eth0', addresses: [address] })
  await kernel.apply(undefined, [{ op: 'setLink', name, alias }])
}

describe('an address that is claimed for a pod before it has a container', () => {
  it('is one address, however often it is asked for', async () => {
    await Promise.all([claim(), claim()])
    expect(await holders()).toEqual([early])
  })

  it('is the container’s at once, and by its name in the block soon after', async () => {
    await claim()
    const [address] = (await take('net.c1')) ?? []
    expect(await take('net.c1')).toEqual([address])
    expect(await holders()).toEqual([early])
    claims.attached('net.c1')
    await expect.poll(holders).toEqual(['net.c1'])
    await expect
      .poll(async () => (await kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID))
      .toEqual(['net.c1'])
  })

  it('is neither another container’s nor that of an ADD that asks for something else', async () => {
    await claim()
    expect(await take('net.c0', 'of a certain pool')).toBeUndefined()
    await take('net.c1')
    expect(await take('net.c2')).toBeUndefined()
  })

  it('is left when its pool may not be used any more', async () => {
    await claim()
    expect(await take('net.c1', 'any', () => false)).toBeUndefined()
    await claims.settle(key.pod)
    expect(await holders()).toEqual([])
  })

  it('is not claimed any more when its ADD has come first', async () => {
    expect(await take('net.c1')).toBeUndefined()
    await claim()
    expect(await holders()).toEqual([])
  })

  it('is free again when the pod is gone, and stays with a container that has it', async () => {
    await claim()
    await claims.settle(key.pod)
    expect(await holders()).toEqual([])
    await claim()
    await take('net.c1')
    await claims.settle(key.pod)
    expect(await holders()).toEqual([early])
  })

  it('is given back by the container that took it, before and after it has its name', async () => {
    for (const hasName of [false, true]) {
      await claim()
      await take('net.c1')
      if (hasName) {
        claims.attached('net.c1')
        await expect.poll(holders).toEqual(['net.c1'])
      }
      const held = claims.handlesOf('net.c1')
      await claims.drop('net.c1')
      for (const each of held) await releaseOwn(node, each)
      expect(await holders()).toEqual([])
    }
  })

  it('gets its container’s name from the next process when this one was killed', async () => {
    await claim()
    const [address = ''] = (await take('net.c1')) ?? []
    await wire('c1', address)
    const next = newClaims()
    await next.resume()
    expect(next.handlesOf('net.c1')).toEqual(['net.c1', early])
    await expect.poll(holders).toEqual(['net.c1'])
  })

  it('is given back by the next process when nobody has taken it', async () => {
    await claim()
    await newClaims().resume()
    expect(await holders()).toEqual([])
  })
})

describe('an early handle', () => {
  it('is known by the whole form of a UID, whatever dots there are around it', () => {
    for (const handle of [early, `${early}.net1`, `${early}.eth1.100`, `my.pod-net.pod-${uid}`]) {
      expect(isEarlyHandle(handle)).toBe(true)
      expect(settledHandleId(handle, 'c1')).toBe(handle.replace(`pod-${uid}`, 'c1'))
    }
    for (const handle of ['net.c1', 'my.pod-net.c1', 'my.pod-net.c1.net1', 'net.pod-1']) {
      expect(isEarlyHandle(handle)).toBe(false)
    }
  })

  it('is not for pods without such a UID', async () => {
    const other = { ...key, pod: { uid: 'u-1' } }
    await claims.claim(other, 'any', async () => Promise.reject(new Error('asked')))
    expect(await claims.take(other, { wish: 'any', by: 'net.c1', mayUse: () => true })).toBeUndefined()
  })
})

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Calm } from '../../../base/calm.ts'
import { parseCidr } from '../../../base/ip.ts'
import { silentLog } from '../../../base/log.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { createInformer } from '../../../kube/informer.ts'
import { nodes, type PodResource, pods } from '../../../kube/resources/core.ts'
import { Assigner } from '../ipam/assign.ts'
import { newBlock } from '../ipam/block.ts'
import { BlockStore } from '../ipam/block-store.ts'
import { BlockView } from '../ipam/block-view.ts'
import { HandleIndex } from '../ipam/handle-index.ts'
import { blockAffinities, ipamBlocks, ipamHandles } from '../resources.ts'
import { isLeaked } from './find-leaks.ts'
import { routedClusterSide } from './run.ts'

let kube: FakeKube
let stop: AbortController

beforeEach(() => {
  kube = createFakeKube()
  stop = new AbortController()
  return () => stop.abort()
})

function pod(name: string, change: Partial<PodResource> = {}): PodResource {
  return { metadata: { name, namespace: 'default' }, spec: { nodeName: 'work01', containers: [] }, ...change }
}

async function allocate(node: string, podName: string): Promise<void> {
  const blocks = createInformer(kube, ipamBlocks, { log: silentLog })
  await blocks.start(stop.signal)
  const view = new BlockView(blocks)
  const handleIndex = new HandleIndex({ kube, view, log: silentLog, calm: new Calm() })
  const store = new BlockStore(kube, view)
  const assigner = new Assigner({ kube, store, handles: handleIndex, nodeName: node, now: Date.now })
  await assigner.assign({
    family: 4,
    holder: { handleId: `net.${podName}`, secondary: { node, namespace: 'default', pod: podName } },
    pools: [{ metadata: { name: 'p' }, spec: { cidr: '10.244.0.0/24', blockSize: 28 } }],
  })
  await handleIndex.idle()
}

async function startCluster(leakGraceMs: number) {
  const informers = {
    pods: createInformer(kube, pods, { log: silentLog }),
    nodes: createInformer(kube, nodes, { log: silentLog }),
  }
  await Promise.all([informers.pods.start(stop.signal), informers.nodes.start(stop.signal)])
  const side = routedClusterSide({ kube, log: silentLog, events: { event: () => {} }, ...informers }, { leakGraceMs })
  await side.start(stop.signal)
  return side
}

async function handles(): Promise<string[]> {
  return (await kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
}

describe('the cluster side of the routed network', () => {
  it('releases everything of a node that is deleted', async () => {
    kube.seed(nodes, { metadata: { name: 'work01' } }, { metadata: { name: 'work02' } })
    await allocate('work01', 'a')
    await allocate('work02', 'b')
    const side = await startCluster(1e6)
    await kube.delete(nodes, 'work01')
    await vi.waitFor(async () => {
      expect(await handles()).toEqual(['net.b'])
      expect((await kube.list(ipamBlocks)).items.map(({ spec }) => spec.affinity)).toEqual(['host:work02'])
      expect((await kube.list(blockAffinities)).items.map(({ spec }) => spec.node)).toEqual(['work02'])
    })
    await side.stop()
  })

  it('releases what a node left that was deleted while no controller ran', async () => {
    await allocate('work09', 'a')
    const side = await startCluster(1e6)
    await vi.waitFor(async () => expect((await kube.list(blockAffinities)).items).toEqual([]))
    expect(await handles()).toEqual([])
    await side.stop()
  })

  it('releases the address of a pod that is gone, after the grace time', async () => {
    kube.seed(nodes, { metadata: { name: 'work01' } })
    kube.seed(pods, pod('a'), pod('b'))
    await allocate('work01', 'a')
    await allocate('work01', 'b')
    const side = await startCluster(30)
    await kube.delete(pods, 'a', { namespace: 'default', gracePeriodSeconds: 0 })
    expect(await handles()).toHaveLength(2)
    await vi.waitFor(async () => expect(await handles()).toEqual(['net.b']))
    await side.stop()
  })

  it('leaves the address alone when the pod is there again', async () => {
    kube.seed(nodes, { metadata: { name: 'work01' } })
    kube.seed(pods, pod('a'))
    await allocate('work01', 'a')
    const side = await startCluster(40)
    await kube.delete(pods, 'a', { namespace: 'default', gracePeriodSeconds: 0 })
    await kube.create(pods, pod('a'))
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await handles()).toEqual(['net.a'])
    await side.stop()
  })

  it("does not touch allocations that are no pod's", async () => {
    const block = newBlock(parseCidr('10.244.0.0/30'), { nodeName: 'work01', now: 0 })
    block.spec.allocations[0] = 0
    block.spec.attributes = [{ handle_id: 'ipip-tunnel-addr-work01', secondary: { node: 'work01' } }]
    kube.seed(nodes, { metadata: { name: 'work01' } })
    kube.seed(ipamBlocks, block)
    const side = await startCluster(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await kube.list(ipamBlocks)).items[0]?.spec.allocations[0]).toBe(0)
    await side.stop()
  })
})

function ended(phase: string): PodResource {
  return pod('a', { status: { phase, podIPs: [{ ip: '10.244.0.1' }] } })
}

describe('isLeaked', () => {
  const allocation = { address: '10.244.0.1', handleId: 'net.c', node: 'work01', namespace: 'default', pod: 'a' }
  const networkStatus = JSON.stringify([{ ips: ['10.244.0.9'] }, { ips: ['10.244.0.1'] }])

  it.each<[string, PodResource | undefined, boolean]>([
    ['there is no pod', undefined, true],
    ['the pod has no address yet', pod('a'), false],
    ['the pod has it', pod('a', { status: { podIPs: [{ ip: '10.244.0.1' }] } }), false],
    ['the pod has another', pod('a', { status: { podIPs: [{ ip: '10.244.0.9' }] } }), true],
    [
      'another interface of the pod has it',
      pod('a', {
        metadata: { name: 'a', annotations: { 'k8s.v1.cni.cncf.io/network-status': networkStatus } },
        status: { podIPs: [{ ip: '10.244.0.9' }] },
      }),
      false,
    ],
    ['the pod runs on another node', pod('a', { spec: { nodeName: 'work02', containers: [] } }), true],
    ['the pod was evicted', pod('a', { status: { phase: 'Failed', reason: 'Evicted' } }), true],
    ['the pod has done its work', ended('Succeeded'), true],
    ['the pod has failed', ended('Failed'), true],
  ])('when %s', (_, found, expected) => {
    expect(isLeaked(allocation, found)).toBe(expected)
  })
})

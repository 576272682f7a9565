import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Calm } from '../../src/base/calm.ts'
import { silentLog } from '../../src/base/log.ts'
import { type ClosableKubeClient, createKubeClient } from '../../src/kube/client.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { buildDefinition } from '../../src/lab/install-resources.ts'
import { Assigner } from '../../src/networks/routed/ipam/assign.ts'
import { allocationsOf } from '../../src/networks/routed/ipam/block.ts'
import { BlockStore } from '../../src/networks/routed/ipam/block-store.ts'
import { BlockView } from '../../src/networks/routed/ipam/block-view.ts'
import { HandleIndex } from '../../src/networks/routed/ipam/handle-index.ts'
import { releaseByHandle } from '../../src/networks/routed/ipam/release.ts'
import {
  bgpConfigurations,
  bgpPeers,
  blockAffinities,
  ipamBlocks,
  ipamHandles,
  ipPools,
  routedResources,
} from '../../src/networks/routed/resources.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'

let api: TestApiServer
let kube: ClosableKubeClient
const stop = new AbortController()

beforeAll(async () => {
  api = await startTestApiServer()
  kube = createKubeClient(await loadKubeConfig(api.kubeconfig))
  const definitions = { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition' }
  const type = {
    ...definitions,
    plural: 'customresourcedefinitions',
    singular: '',
    shortNames: [],
    isNamespaced: false,
  }
  for (const resource of routedResources) await kube.create(type, buildDefinition(resource))
})

afterAll(async () => {
  stop.abort()
  await kube?.close()
  await api?.stop()
})

describe('the kinds of projectcalico.org/v3 on an API server', () => {
  const pool = {
    metadata: { name: 'pool' },
    spec: { cidr: '10.244.0.0/26', blockSize: 28, ipipMode: 'Never' as const },
  }

  it("take the article's objects", async () => {
    await kube.create(ipPools, pool)
    await kube.create(bgpConfigurations, {
      metadata: { name: 'default' },
      spec: { logSeverityScreen: 'Info', nodeToNodeMeshEnabled: false, asNumber: 63400 },
    })
    const peer = { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" }
    expect((await kube.create(bgpPeers, { metadata: { name: 'peer-to-rrs' }, spec: peer })).spec).toEqual(peer)
  })

  it.each([
    ['both node and nodeSelector', { node: 'a', nodeSelector: 'all()', peerIP: '10.0.0.1' }],
    ['both peerIP and peerSelector', { peerIP: '10.0.0.1', peerSelector: 'all()' }],
    ['an AS number that is too large', { peerIP: '10.0.0.1', asNumber: 4_294_967_296 }],
    ['an unknown way of reverse peering', { peerIP: '10.0.0.1', reversePeering: 'Never' as 'Auto' }],
  ])('refuse a BGPPeer with %s', async (_, spec) => {
    await expect(kube.create(bgpPeers, { metadata: { name: 'bad' }, spec })).rejects.toMatchObject({ statusCode: 422 })
  })

  it('refuse an IPPool with an encapsulation in lower case, and one without cidr', async () => {
    const lower = { cidr: '10.9.0.0/16', ipipMode: 'always' as 'Always' }
    await expect(kube.create(ipPools, { metadata: { name: 'x' }, spec: lower })).rejects.toThrow(/ipipMode/)
    await expect(kube.create(ipPools, { metadata: { name: 'x' }, spec: {} as typeof lower })).rejects.toThrow(/cidr/)
  })

  it('carry addresses from two nodes at once, and nothing is left after the release', async () => {
    const nodes = await Promise.all(['work01', 'work02'].map(allocator))
    const handles = Array.from({ length: 20 }, (_, index) => `net.c${index}`)
    const addresses = await Promise.all(
      handles.map((handleId, index) =>
        nodes[index % 2]!.assigner.assign({ holder: { handleId, secondary: {} }, family: 4, pools: [pool] }),
      ),
    )
    expect(new Set(addresses).size).toBe(20)
    expect((await kube.list(ipamBlocks)).items.flatMap(allocationsOf)).toHaveLength(20)
    expect((await kube.list(blockAffinities)).items.every(({ spec }) => spec.state === 'confirmed')).toBe(true)
    await Promise.all(nodes.map(({ handleIndex }) => handleIndex.idle()))
    await Promise.all(handles.map((handleId, index) => releaseByHandle(nodes[index % 2]!, handleId)))
    expect((await kube.list(ipamBlocks)).items.flatMap(allocationsOf)).toEqual([])
    expect((await kube.list(ipamHandles)).items).toEqual([])
  })

  async function allocator(nodeName: string) {
    const informer = createInformer(kube, ipamBlocks, { log: silentLog })
    await informer.start(stop.signal)
    const view = new BlockView(informer)
    const store = new BlockStore(kube, view)
    const handleIndex = new HandleIndex({ kube, view, log: silentLog, calm: new Calm() })
    const assigner = new Assigner({ kube, store, handles: handleIndex, nodeName, now: Date.now })
    return { kube, store, handleIndex, assigner }
  }
})

import { afterEach, beforeEach, expect, it } from 'vitest'
import { Calm } from '../../../base/calm.ts'
import { parseCidr } from '../../../base/ip.ts'
import { silentLog } from '../../../base/log.ts'
import { createFakeKube, type FakeKube } from '../../../kube/fake.ts'
import { createInformer } from '../../../kube/informer.ts'
import { ipamBlocks, ipamHandles } from '../resources.ts'
import { assignNext, newBlock } from './block.ts'
import { BlockStore } from './block-store.ts'
import { BlockView } from './block-view.ts'
import { HandleIndex } from './handle-index.ts'
import { noteLostHandles } from './lost-handles.ts'

let kube: FakeKube
let stop: AbortController
beforeEach(() => {
  kube = createFakeKube()
  stop = new AbortController()
})
afterEach(() => stop.abort())

async function seedHandle(handleID: string, cidr: string): Promise<void> {
  await kube.create(ipamHandles, { metadata: { name: handleID }, spec: { handleID, block: { [cidr]: 1 } } })
}

it('removes the handles of its own blocks that hold nothing, and no others', async () => {
  const own = newBlock(parseCidr('10.244.0.0/30'), { nodeName: 'work01', now: 0 })
  const held = assignNext(own, { handleId: 'net.held', secondary: {} })?.block ?? own
  kube.seed(ipamBlocks, held, newBlock(parseCidr('10.244.0.4/30'), { nodeName: 'work02', now: 0 }))
  await seedHandle('net.held', '10.244.0.0/30')
  await seedHandle('net.lost', '10.244.0.0/30')
  await seedHandle('net.of-another-node', '10.244.0.4/30')
  const blocks = createInformer(kube, ipamBlocks, { log: silentLog })
  await blocks.start(stop.signal)
  const view = new BlockView(blocks)
  const handles = new HandleIndex({ kube, view, log: silentLog, calm: new Calm() })
  await noteLostHandles({ kube, store: new BlockStore(kube, view), handles }, 'work01')
  await handles.idle()
  const left = (await kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
  expect(left.sort()).toEqual(['net.held', 'net.of-another-node'])
})

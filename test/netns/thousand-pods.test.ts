import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Semaphore } from '../../src/base/keyed-lock.ts'
import { makeNetns, removeNetns } from '../support/netns.ts'
import { AgentNode, interfacesOf, noTraces, type Sandbox } from './support/agent-node.ts'

const count = process.env.TWINLANE_LONG_TESTS === '1' ? 1000 : 100
const concurrency = 20
/** What the agent may keep: its heap grows with what is under way, not with what has been. */
const growthLimitBytes = 64 * 1024 * 1024

describe(`${count} pods with three networks, ${concurrency} at a time`, () => {
  let node: AgentNode
  beforeAll(async () => {
    node = await AgentNode.create()
    await node.startAgent()
  })
  afterAll(() => node?.remove())

  async function comeAndGo(name: string): Promise<void> {
    await node.createPod(name)
    const sandbox: Sandbox = { containerId: `sandbox-${name}`, netns: await makeNetns(), podName: name }
    const added = await node.call('ADD', sandbox).outcome
    expect(added).toMatchObject({ code: 0, json: { cniVersion: '1.0.0' } })
    expect(await interfacesOf(sandbox.netns)).toEqual(['eth0', 'net1', 'net2'])
    expect(await node.call('DEL', sandbox).outcome).toEqual({ code: 0, json: undefined })
    await removeNetns(sandbox.netns)
    await node.deletePod(name)
  }

  async function comeAndGoAll(prefix: string, howMany: number): Promise<void> {
    const turns = new Semaphore(concurrency)
    await Promise.all(Array.from({ length: howMany }, (_, index) => turns.run(() => comeAndGo(`${prefix}-${index}`))))
  }

  it(
    'come and go and leave nothing, nor does the agent grow with them',
    async () => {
      await comeAndGoAll('first', concurrency * 2)
      const before = await node.agentMemoryBytes()
      await comeAndGoAll('pod', count)
      await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
      expect((await node.agentMemoryBytes()) - before).toBeLessThan(growthLimitBytes)
    },
    30_000 + count * 1000,
  )
})

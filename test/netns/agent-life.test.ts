import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeNetns, removeNetns } from '../support/netns.ts'
import { AgentNode, interfacesOf, noTraces, type Sandbox } from './support/agent-node.ts'

const all = ['eth0', 'net1', 'net2']
const lives = 10

/** What a runtime does while the agent comes and goes: a refused DEL is repeated, a failed ADD is followed by its DEL. */
describe(`an agent that is restarted ${lives} times under a storm of ADD and DEL`, () => {
  let node: AgentNode
  let isOver = false
  let count = 0
  let added = 0
  beforeAll(async () => {
    node = await AgentNode.create()
    await node.startAgent()
  }, 60_000)
  afterAll(() => node?.remove())

  async function delUntilDone(sandbox: Sandbox): Promise<void> {
    for (;;) {
      const { code, json } = await node.call('DEL', sandbox).outcome
      if (code === 0) break
      expect(json).toMatchObject({ code: expect.any(Number), msg: expect.any(String) })
    }
    expect(await interfacesOf(sandbox.netns)).toEqual([])
    await removeNetns(sandbox.netns)
  }

  async function runPods(podName: string): Promise<{ added: number; refused: unknown[] }> {
    const seen = { added: 0, refused: [] as unknown[] }
    while (!isOver) {
      const sandbox = { containerId: `life-${++count}`, netns: await makeNetns(), podName }
      const { code, json } = await node.call('ADD', sandbox).outcome
      if (code === 0) {
        seen.added++
        added++
        expect(await interfacesOf(sandbox.netns)).toEqual(all)
      } else seen.refused.push((json as { code: number }).code)
      await delUntilDone(sandbox)
    }
    return seen
  }

  it('serves each pod all of its networks or refuses it with "try again later", and leaves nothing behind', async () => {
    const names = ['web-0', 'web-1', 'web-2']
    for (const name of names) await node.createPod(name)
    const pods = Promise.all(names.map(runPods))
    for (let life = 0; life < lives; life++) {
      const before = added
      await expect.poll(() => added, { timeout: 20_000 }).toBeGreaterThan(before)
      await node.killAgent(life % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
      await node.startAgent()
    }
    isOver = true
    const seen = await pods
    expect(seen.reduce((sum, { added }) => sum + added, 0)).toBeGreaterThan(0)
    expect(new Set(seen.flatMap(({ refused }) => refused))).toEqual(new Set([11]))
    for (const name of names) await node.deletePod(name)
    await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
  }, 300_000)
})

/** A node comes back: the pods are the same, their sandboxes are not, and the runtime starts before the agent. */
describe('a node that is restarted', () => {
  let node: AgentNode
  beforeAll(async () => {
    node = await AgentNode.create()
    await node.startAgent()
  }, 60_000)
  afterAll(() => node?.remove())

  const names = ['web-0', 'web-1', 'web-2']
  const sandboxesOf = (life: string): Promise<Sandbox[]> =>
    Promise.all(
      names.map(async (podName) => ({ containerId: `${life}-${podName}`, netns: await makeNetns(), podName })),
    )

  async function expectAdded(sandboxes: readonly Sandbox[]): Promise<void> {
    for (const sandbox of sandboxes) {
      expect((await node.call('ADD', sandbox).outcome).code).toBe(0)
      expect(await interfacesOf(sandbox.netns)).toEqual(all)
    }
  }

  it('starts no pod without its networks before the agent is there, and keeps nothing of the sandboxes before', async () => {
    for (const name of names) await node.createPod(name)
    const before = await sandboxesOf('before')
    await expectAdded(before)
    await node.reboot(before)
    const after = await sandboxesOf('after')
    for (const sandbox of after) {
      expect(await node.call('ADD', sandbox).outcome).toMatchObject({ code: 1, json: { code: 11 } })
      expect(await interfacesOf(sandbox.netns)).toEqual([])
    }
    await node.startAgent()
    await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
    await expectAdded(after)
    // The kubelet finds the old sandboxes and has them taken away after it has made the new ones.
    for (const sandbox of before) expect((await node.call('DEL', sandbox).outcome).code).toBe(0)
    await node.killAgent()
    await node.startAgent()
    for (const sandbox of after) {
      expect(await interfacesOf(sandbox.netns)).toEqual(all)
      expect((await node.call('DEL', sandbox).outcome).code).toBe(0)
      await removeNetns(sandbox.netns)
    }
    for (const name of names) await node.deletePod(name)
    await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
  }, 120_000)
})

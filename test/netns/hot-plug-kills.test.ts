import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ip, makeNetns, removeNetns } from '../support/netns.ts'
import { AgentNode, interfacesOf, noTraces, type Sandbox } from './support/agent-node.ts'
import { createRandom } from './support/random.ts'

const kills = process.env.TWINLANE_LONG_TESTS === '1' ? 500 : 15
const seed = Number(process.env.TWINLANE_TEST_SEED ?? Date.now() % 1_000_000)

/** What a pod may ask for beside eth0, and how many of it are routed interfaces and bridge interfaces. Unnamed ones would keep older names. */
const wishes = [
  { networks: '', interfaces: [], routed: 0, bridged: 0 },
  { networks: 'again@data', interfaces: ['data'], routed: 1, bridged: 0 },
  { networks: 'bridge@data', interfaces: ['data'], routed: 0, bridged: 1 },
  { networks: 'again@data,bridge@more', interfaces: ['data', 'more'], routed: 1, bridged: 1 },
  { networks: 'bridge@data,again@more', interfaces: ['data', 'more'], routed: 1, bridged: 1 },
  {
    networks:
      '[{"name":"again","interface":"data","default-route":["169.254.1.1"]},{"name":"bridge","interface":"more"}]',
    interfaces: ['data', 'more'],
    routed: 1,
    bridged: 1,
  },
] as const

/** The record is the undo: whatever an agent was doing to a running pod, the next one makes it what is asked for. */
describe(`a running pod whose annotation is edited while its agent is killed ${kills} times (TWINLANE_TEST_SEED=${seed})`, () => {
  const random = createRandom(seed)
  let node: AgentNode
  let sandbox: Sandbox
  let killed = 0
  beforeAll(async () => {
    node = await AgentNode.create()
    await node.startAgent()
    await node.createPod('web', '')
    sandbox = { containerId: 'plugged', netns: await makeNetns(), podName: 'web' }
    expect((await node.call('ADD', sandbox).outcome).code).toBe(0)
  })
  afterAll(async () => {
    await node?.remove()
    if (sandbox !== undefined) await removeNetns(sandbox.netns)
  })

  async function killWithin(longestMs: number): Promise<void> {
    await delay(random() * longestMs)
    killed++
    await node.killAgent()
  }

  /** One start in three is killed too, most of them while what the record says is taken back. */
  async function restart(): Promise<void> {
    for (;;) {
      const { ready } = node.spawnAgent()
      if (random() >= 0.33) return await ready
      if (random() < 0.7) await ready
      await killWithin(150)
    }
  }

  async function expectExactly(wish: (typeof wishes)[number]): Promise<void> {
    const all = ['eth0', ...wish.interfaces].sort()
    await expect.poll(() => node.toldInterfaces('web'), { timeout: 20_000 }).toEqual(all)
    await expect.poll(() => interfacesOf(sandbox.netns), { timeout: 20_000 }).toEqual(all)
    expect(await node.call('CHECK', sandbox).outcome).toEqual({ code: 0, json: undefined })
    const rules = (await ip(sandbox.netns, 'rule')).split('\n').filter((line) => /^1\d{3}:/.test(line))
    expect(rules).toHaveLength(all.length === 1 ? 0 : all.length)
    await expect
      .poll(() => countTraces(), { timeout: 20_000 })
      .toEqual({
        veths: 1 + wish.routed + wish.bridged,
        routes: 1 + wish.routed,
        rules: 0,
        records: 1,
        leases: wish.bridged,
        allocations: 1 + wish.routed,
        handles: 1 + wish.routed,
      })
  }

  async function countTraces(): Promise<Record<string, number>> {
    const traces = Object.entries(await node.traces())
    return Object.fromEntries(traces.map(([kind, found]) => [kind, found.length]))
  }

  it(
    'has exactly the interfaces that it asks for in the end, and nothing is left over',
    async () => {
      while (killed < kills) {
        const wish = wishes[Math.floor(random() * wishes.length)] ?? wishes[0]
        await node.annotatePod('web', wish.networks)
        await killWithin(random() < 0.5 ? 40 : 400)
        await restart()
        await expectExactly(wish)
      }
      expect(await node.call('DEL', sandbox).outcome).toEqual({ code: 0, json: undefined })
      expect(await interfacesOf(sandbox.netns)).toEqual([])
      await node.deletePod('web')
      await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
    },
    kills * 10_000,
  )
})

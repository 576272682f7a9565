import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeNetns, removeNetns } from '../support/netns.ts'
import { AgentNode, interfacesOf, noTraces, type Sandbox } from './support/agent-node.ts'
import { createRandom } from './support/random.ts'

const kills = process.env.TWINLANE_LONG_TESTS === '1' ? 500 : 25
const seed = Number(process.env.TWINLANE_TEST_SEED ?? Date.now() % 1_000_000)
// Nightly runs come to both.
const bridgeIpam = seed % 2 === 0 ? 'host-local' : 'calico-ipam'
const all = ['eth0', 'net1', 'net2']

/**
 * A runtime that does what the kubelet does (a failed ADD is answered by DEL and an ADD for a new sandbox) on a node
 * whose agent and shim are killed at moments of a seeded generator: anywhere in ADD, in DEL and while the agent starts.
 */
describe(`a node whose agent or shim is killed ${kills} times, with ${bridgeIpam} (TWINLANE_TEST_SEED=${seed})`, () => {
  let node: AgentNode
  const random = createRandom(seed)
  let count = 0
  let killed = 0
  beforeAll(async () => {
    node = await AgentNode.create({ bridgeIpam })
    await node.startAgent()
  })
  afterAll(() => node?.remove())

  async function newSandbox(podName: string): Promise<Sandbox> {
    return { containerId: `sandbox-${++count}`, netns: await makeNetns(), podName }
  }

  /** Calls, and kills at some moment of the call. What is there when the agent is back is all or nothing. */
  async function callAndKill(command: 'ADD' | 'DEL', sandbox: Sandbox, typicalMs: number): Promise<void> {
    const victim = random() < 0.7 ? 'agent' : 'shim'
    const call = node.call(command, sandbox)
    await delay(random() * typicalMs * 1.3)
    killed++
    if (victim === 'shim') call.kill()
    else await node.killAgent()
    const { code } = await call.outcome
    if (victim === 'agent') await restart()
    if (command !== 'ADD') return
    if (victim === 'agent' || code === 0) return await expectAllOrNone(sandbox, code === 0)
    // The agent gives the ADD up and takes it back, unless it had ended already.
    const isSettled = async (): Promise<boolean> => [0, all.length].includes((await interfacesOf(sandbox.netns)).length)
    await expect.poll(isSettled).toBe(true)
  }

  /** One start in five is killed too. */
  async function restart(): Promise<void> {
    for (;;) {
      const { ready } = node.spawnAgent()
      if (random() >= 0.2) return await ready
      killed++
      await delay(random() * 400)
      await node.killAgent()
    }
  }

  async function expectAllOrNone({ netns }: Sandbox, isAnswered: boolean): Promise<void> {
    const has = await interfacesOf(netns)
    if (isAnswered || has.length > 0) expect(has).toEqual(all)
  }

  async function del(sandbox: Sandbox): Promise<void> {
    const { code, json } = await node.call('DEL', sandbox).outcome
    expect({ code, json }).toEqual({ code: 0, json: undefined })
    expect(await interfacesOf(sandbox.netns)).toEqual([])
    await removeNetns(sandbox.netns)
  }

  async function add(podName: string): Promise<Sandbox> {
    const sandbox = await newSandbox(podName)
    const { code, json } = await node.call('ADD', sandbox).outcome
    expect(json).toMatchObject({ cniVersion: '1.0.0' })
    expect(code).toBe(0)
    expect(await interfacesOf(sandbox.netns)).toEqual(all)
    return sandbox
  }

  async function typicalMs(podName: string): Promise<{ ADD: number; DEL: number }> {
    const startedAt = performance.now()
    const sandbox = await add(podName)
    const addedAt = performance.now()
    await del(sandbox)
    return { ADD: addedAt - startedAt, DEL: performance.now() - addedAt }
  }

  it(
    'gives every pod all of its networks or none, and has nothing left in the end',
    async () => {
      await node.createPod('web')
      const typical = await typicalMs('web')
      while (killed < kills) {
        const first = await newSandbox('web')
        await callAndKill('ADD', first, typical.ADD)
        await del(first)
        const second = await add('web')
        await callAndKill('DEL', second, typical.DEL)
        await del(second)
      }
      await node.deletePod('web')
      await expect.poll(() => node.traces(), { timeout: 20_000 }).toEqual(noTraces)
    },
    kills * 10_000,
  )
})

import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../netns/support/random.ts'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { podTraces } from './support/pod-traces.ts'

const pods = process.env.TWINLANE_LONG_TESTS === '1' ? 15 : 2
const seed = Number(process.env.TWINLANE_TEST_SEED ?? Date.now() % 1_000_000)

/** The kubelet, OVN and Open vSwitch are real here; test/netns/kill-loop.test.ts has the great number. */
describe(`an agent that is killed while ${pods} pods with OVN come and go (TWINLANE_TEST_SEED=${seed})`, () => {
  const random = createRandom(seed)
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
  })

  /** Kills the agent of work02 at some moment of the next milliseconds. */
  async function killWithin(longestMs: number): Promise<void> {
    await delay(random() * longestMs)
    // A second kill may come before there is an agent again.
    await lab.exec('work02', ['pkill', '-9', '-f', 'dist/agent.js'], { okCodes: [0, 1] })
  }

  async function comesAndGoes(name: string): Promise<void> {
    const input = sleepingPod({ name, node: 'work02', networks: eth1WithDefaultRoute })
    await Promise.all([lab.cli(['apply', '-f', '-'], { input }), killWithin(1500)])
    await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=100s'])
    await eventually(async () => {
      const { stdout } = await lab.cli(['exec', name, '--', 'ip', '-4', '-o', 'address'])
      expect(stdout).toMatch(/eth0 .*inet 10\.244\./)
      expect(stdout).toMatch(/eth1 .*inet 10\.144\./)
    })
    await Promise.all([lab.cli(['delete', 'pod', name]), killWithin(600)])
  }

  it(
    'gives each of them both networks, and has no port, veth, address or record left',
    async () => {
      const before = await podTraces(lab)
      for (let index = 0; index < pods; index++) await comesAndGoes(`killed-${index}`)
      await eventually(async () => expect(await podTraces(lab)).toEqual(before), { timeoutMs: 60_000 })
    },
    60_000 + pods * 120_000,
  )
})

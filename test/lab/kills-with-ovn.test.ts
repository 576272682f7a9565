import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../netns/support/random.ts'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { podTraces } from './support/pod-traces.ts'

const wantedKills = process.env.TWINLANE_LONG_TESTS === '1' ? 100 : 5
const podsAtOnce = 3
const seed = Number(process.env.TWINLANE_TEST_SEED ?? Date.now() % 1_000_000)
/** By pkill, which takes care not to find itself. */
const victims = { agent: '-f [d]ist/agent.js', shim: '-x twinlane' }

/** The kubelet, OVN and Open vSwitch are real here; test/netns/kill-loop.test.ts has the great number. */
describe(`a node whose agent or shim is killed ${wantedKills} times while pods with OVN come and go (TWINLANE_TEST_SEED=${seed})`, () => {
  const random = createRandom(seed)
  let lab: Lab
  let killed = 0
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
  })

  /** Waits for CNI calls on work02 and kills at some moment of each. */
  async function killInCalls(count: number, longestMs: number): Promise<void> {
    const kills = Array.from({ length: count }, () => {
      const victim = random() < 0.6 ? victims.agent : victims.shim
      const moment = ((random() * longestMs) / 1000).toFixed(3)
      return [
        'until pgrep -x twinlane >/dev/null; do [ $(date +%s) -lt $end ] || exit 0; sleep 0.005; done',
        `sleep ${moment}; pkill -9 ${victim} && echo killed`,
      ]
    })
    const script = ['end=$(($(date +%s) + 15))', ...kills.flat(), 'exit 0'].join('\n')
    const { stdout } = await lab.exec('work02', ['sh', '-c', script])
    // Who is gone already cannot be killed.
    killed += stdout.split('killed').length - 1
  }

  async function hasBothNetworks(name: string): Promise<void> {
    await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=100s'])
    const { stdout } = await lab.cli(['exec', name, '--', 'ip', '-4', '-o', 'address'])
    expect(stdout).toMatch(/eth0 .*inet 10\.244\./)
    expect(stdout).toMatch(/eth1 .*inet 10\.144\./)
  }

  async function comeAndGo(names: readonly string[]): Promise<void> {
    const input = names
      .map((name) => sleepingPod({ name, node: 'work02', networks: eth1WithDefaultRoute }))
      .join('\n---\n')
    await Promise.all([lab.cli(['apply', '-f', '-'], { input }), killInCalls(3, 300)])
    await Promise.all(names.map((name) => eventually(() => hasBothNetworks(name), { timeoutMs: 100_000 })))
    await Promise.all([lab.cli(['delete', 'pod', ...names]), killInCalls(2, 100)])
  }

  it(
    'gives each of them both networks, and has no port, veth, address or record left',
    async () => {
      const before = await podTraces(lab)
      for (let round = 0; killed < wantedKills; round++) {
        await comeAndGo(Array.from({ length: podsAtOnce }, (_, index) => `killed-${round}-${index}`))
      }
      await eventually(async () => expect(await podTraces(lab)).toEqual(before), { timeoutMs: 60_000 })
    },
    60_000 + wantedKills * 60_000,
  )
})

import { beforeAll, describe, expect, it } from 'vitest'
import { sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'
import { type ProbedPod, startProbes } from './support/udp-probe.ts'

/** Programs that are killed with -9, by the name that the lab has for them. */
const agent = { name: 'agent', pattern: '[d]ist/agent.js' }
const bird = { name: 'bird', pattern: '^[^ ]*bird ' }
const controller = { name: 'controller', pattern: '[d]ist/controller.js' }

interface Victim {
  readonly name: string
  readonly pattern: string
  readonly node: string
}

const on = (node: string, ...programs: { name: string; pattern: string }[]): Victim[] =>
  programs.map((program) => ({ ...program, node }))

/** master01 and work01 are route reflectors. Add a line for another case: none of them may lose a packet. */
const cases: readonly { what: string; victims: readonly Victim[] }[] = [
  { what: 'the agent of an ordinary node', victims: on('work02', agent) },
  { what: 'the agent of a route reflector', victims: on('master01', agent) },
  { what: 'BIRD of an ordinary node', victims: on('work02', bird) },
  { what: 'BIRD of a route reflector', victims: on('master01', bird) },
  { what: 'the controller', victims: on('master01', controller) },
  { what: 'agent and BIRD of an ordinary node', victims: on('work02', agent, bird) },
  { what: 'agent and BIRD of a route reflector', victims: on('work01', agent, bird) },
  { what: 'BIRD of both route reflectors', victims: [...on('master01', bird), ...on('work01', bird)] },
  { what: 'all agents', victims: ['master01', 'work01', 'work02'].flatMap((node) => on(node, agent)) },
  { what: 'agent of one node, BIRD of another', victims: [...on('work01', agent), ...on('work02', bird)] },
]

/** Issue 4, "Reliability, tested": what has a path keeps flowing. */
describe('while every pod sends to every other, a datagram every 10 ms, no packet is lost to kill -9 of', () => {
  const pods: ProbedPod[] = ['master01', 'work01', 'work02'].map((node) => ({ node, name: `on-${node}` }))
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    for (const { node, name } of pods) await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name, node }) })
    for (const { name } of pods) await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
    await expectSessions()
    await lab.cli(['bgp', 'migrate', '--to', 'route-reflectors', '--reflectors', 'master01,work01'])
  })

  async function expectSessions(): Promise<void> {
    await eventually(async () => void (await lab.cli(['bgp', 'status'])), { timeoutMs: 90_000 })
  }

  async function restartsOf({ name, node }: Victim): Promise<number> {
    const { processes } = await lab.status()
    return processes.find((each) => each.name === name && each.node === node)?.restarts ?? -1
  }

  it.each(cases)('$what', async ({ victims }) => {
    const before = await Promise.all(victims.map(restartsOf))
    const probes = await startProbes(lab, pods)
    await Promise.all(victims.map(({ node, pattern }) => lab.exec(node, ['pkill', '-9', '-f', pattern])))
    for (const [index, victim] of victims.entries()) {
      await eventually(async () => expect(await restartsOf(victim)).toBe((before[index] ?? 0) + 1))
    }
    await expectSessions()
    const results = await probes.stop()
    expect(results).toHaveLength(6)
    expect(results.filter(({ lost }) => lost !== 0)).toEqual([])
  })
})

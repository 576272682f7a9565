import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { createRandom } from '../netns/support/random.ts'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

const orders = process.env.TWINLANE_LONG_TESTS === '1' ? 20 : 2
const seed = Number(process.env.TWINLANE_TEST_SEED ?? Date.now() % 1_000_000)

/** What can be taken away: a program on a node, so that its supervisor cannot bring it back; or the definition. */
const parts = [
  { node: 'work01', program: 'ovn-controller' },
  { node: 'work01', program: 'ovs-vswitchd' },
  { node: 'work01', program: 'ovsdb-server' },
  { node: 'master01', program: 'ovn-northd' },
  { node: 'master01', program: 'ovsdb-server' },
  { node: 'master01', program: 'NetworkAttachmentDefinition' },
] as const
type Part = (typeof parts)[number]

/** Issue 5: eth0 is never harmed by whatever happens to OVN. */
describe(`OVN taken away piece by piece (TWINLANE_TEST_SEED=${seed})`, () => {
  const random = createRandom(seed)
  let lab: Lab
  let targets: string[]
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await start('dual', eth1WithDefaultRoute)
    // The node's own addresses that are not on the NIC that OVN has, and eth0 of the pod there.
    targets = ['192.168.122.101', '192.168.100.101', await podIp('dual')]
  })

  async function start(name: string, networks?: string): Promise<void> {
    const pod = { name, node: 'work01', ...(networks === undefined ? {} : { networks }) }
    await lab.cli(['apply', '-f', '-'], { input: sleepingPod(pod) })
    await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  }

  async function podIp(name: string): Promise<string> {
    return (await lab.json<{ status: { podIP: string } }>(['get', 'pod', name, '-o', 'json'])).status.podIP
  }

  /** Pings every 10 ms from another node until the work is done; resolves with what each target did not answer. */
  async function lostDuring(work: () => Promise<void>): Promise<Record<string, number>> {
    const probes = await Promise.all(targets.map(startProbe))
    await work()
    const lost = await Promise.all(probes.map(async (end, index) => [targets[index], await end()] as const))
    return Object.fromEntries(lost)
  }

  /** Resolves with what ends the probe and tells how many were lost. A line through the fifo is what it waits for. */
  async function startProbe(target: string): Promise<() => Promise<number>> {
    const fifo = `/tmp/probe-${target}`
    await lab.exec('work02', ['sh', '-c', `rm -f ${fifo}; mkfifo ${fifo}`])
    const script = `ping -i 0.01 -W 2 ${target} & pid=$!; read -r line <${fifo}; kill -INT $pid; wait $pid; true`
    const running = lab.exec('work02', ['sh', '-c', script])
    return async () => {
      await lab.exec('work02', ['sh', '-c', `echo end >${fifo}`])
      const { stdout } = await running
      const sent = Number(/(\d+) packets transmitted/.exec(stdout)?.[1])
      const answered = new Set([...stdout.matchAll(/seq=(\d+)/g)].map((match) => match[1])).size
      expect(answered).toBeGreaterThan(50)
      return Math.max(0, sent - 1 - answered)
    }
  }

  async function takeAway({ node, program }: Part): Promise<void> {
    if (program === 'NetworkAttachmentDefinition') {
      await lab.cli(['delete', '-f', `${articleFolder}yusur-ovn.yaml`])
      return
    }
    const hidden = `mount --bind /bin/false "$(command -v ${program})"; pkill -9 -x ${program}; true`
    await lab.exec(node, ['sh', '-c', hidden])
  }

  async function giveBack({ node, program }: Part): Promise<void> {
    if (program === 'NetworkAttachmentDefinition') await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    else await lab.exec(node, ['sh', '-c', `umount "$(command -v ${program})"`])
  }

  it.each(Array.from({ length: orders }, (_, index) => index))(
    'in random order %i: eth0 and the addresses of the node lose no packet, pods without OVN start, and all comes back',
    async (index) => {
      const order = shuffled(parts, random)
      const lost = await lostDuring(async () => {
        for (const part of order) {
          await takeAway(part)
          await delay(300)
        }
        await start(`plain-${index}`)
      })
      expect([order.map(({ program }) => program), lost]).toEqual([
        expect.anything(),
        Object.fromEntries(targets.map((target) => [target, 0])),
      ])
      const lostOnReturn = await lostDuring(async () => {
        for (const part of shuffled(parts, random)) await giveBack(part)
        await eventually(
          async () => {
            const { stdout } = await lab.cli(['exec', 'dual', '--', 'ping', '-c', '1', '-W', '1', '203.0.113.1'], {
              okCodes: [0, 1],
            })
            expect(stdout).toContain(' 0% packet loss')
          },
          { timeoutMs: 60_000 },
        )
      })
      expect(lostOnReturn).toEqual(Object.fromEntries(targets.map((target) => [target, 0])))
      await start(`dual-${index}`, eth1WithDefaultRoute)
    },
    180_000,
  )
})

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => [random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

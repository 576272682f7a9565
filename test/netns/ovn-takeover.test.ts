import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Kernel, Operation } from '../../src/kernel/kernel.ts'
import type { KubeClient } from '../../src/kube/api.ts'
import { ip } from '../support/netns.ts'
import type { TestNode } from '../support/ovn.ts'
import { eventually, OvnCluster } from '../support/ovn-cluster.ts'
import { inPod } from '../support/pod-traffic.ts'

/** The node's address on the NIC that is taken over. */
const address = '192.168.200.11'
let cluster: OvnCluster
let node: TestNode

beforeEach(async () => {
  cluster = await OvnCluster.make()
  node = cluster.node('n1')
  await ip(node.netns, 'addr', 'add', '192.168.200.99/32', 'dev', 'ens3')
  await ip(node.netns, 'addr', 'add', 'fd00:200::11/64', 'dev', 'ens3', 'nodad')
  await ip(node.netns, 'route', 'add', 'default', 'via', '192.168.200.1', 'dev', 'ens3', 'metric', '400')
}, 30_000)

afterEach(async () => {
  await cluster.close()
}, 30_000)

describe('the takeover of a NIC', () => {
  test('and its removal lose no packet of a 10 ms probe, and the host is as before', async () => {
    const before = await snapshot()
    const probe = new Probe()
    await cluster.startController()
    await cluster.startAgent(node)
    await takenOver()
    expect(await ip(node.netns, '-4', 'addr', 'show', 'brens3')).toMatch(
      /192\.168\.200\.11\/24[\s\S]*192\.168\.200\.99\/32/,
    )
    expect(await ip(node.netns, '-6', 'addr', 'show', 'brens3')).toMatch(/fd00:200::11\/64/)
    expect(await ip(node.netns, 'route')).toMatch(/default via 192\.168\.200\.1 dev brens3 metric 400/)
    expect(await ip(node.netns, 'addr', 'show', 'ens3')).not.toMatch(/inet6? (192|fd00)/)
    await eventually(() => cluster.side('n1').status().isReady)
    await cluster.removeAgent(node)
    expect(await probe.lost()).toBe(0)
    await expect.poll(snapshot).toEqual(before)
    await cluster.removeAgent(node)
  })

  test('that is cut off after one of its steps leaves a host that is reached, and is completed by the next agent', async () => {
    const steps = await countSteps()
    expect(steps).toBeGreaterThan(15)
    const stride = process.env.TWINLANE_LONG_TESTS === '1' ? 1 : 4
    for (let step = 0; step < steps; step += stride) {
      const probe = new Probe()
      const cut = cutAfter(node.kernel, step)
      await cluster.startAgent(node, cut.kernel)
      await eventually(cut.isCut)
      // What the kill -9 of a process leaves: nothing is undone, nobody acts.
      cluster.sides.delete('n1')
      expect([step, await lossOf(30)]).toEqual([step, 0])
      await cluster.startAgent(node)
      await takenOver()
      await cluster.removeAgent(node)
      expect([step, await probe.lost()]).toEqual([step, 0])
    }
  }, 120_000)

  test.each([
    ['its API server', 'the API server', losesApi],
    ['its next hop', 'an answer of 192.168.200.1 on brens3', losesNextHop],
  ])(
    'is taken back when the host loses %s, says so, and is not tried again at once',
    async (_what, reason, lose) => {
      const before = await snapshot()
      const { kernel, kube } = lose()
      await cluster.startAgent(node, kernel, kube)
      await eventually(() => cluster.events.some((event) => event.startsWith('GatewayTakeoverReverted')), 20_000)
      await eventually(() => cluster.side('n1').status().problems.join().includes('is not tried again before'))
      expect(cluster.events.join()).toContain(reason)
      await ip(cluster.fabric.fabric, 'addr', 'replace', '192.168.200.1/24', 'dev', 'ens3')
      // ovs-vswitchd lets go of the NIC a moment after it was told to.
      await expect.poll(async () => ({ ...(await snapshot()), nftables: [] })).toEqual(before)
      expect((await snapshot()).nftables).toEqual(['table netdev twinlane-ovn-fence {', '}'])
      expect(await lossOf(30)).toBe(0)
    },
    60_000,
  )

  test('follows an address that the NIC gets later', async () => {
    await cluster.startAgent(node)
    await takenOver()
    await ip(node.netns, 'addr', 'add', '192.168.200.77/24', 'dev', 'ens3')
    await eventually(async () => (await ip(node.netns, 'addr', 'show', 'brens3')).includes('192.168.200.77/24'))
    await eventually(async () => !(await ip(node.netns, 'addr', 'show', 'ens3')).includes('192.168.200.77'))
    expect(await lossOf(20, '192.168.200.77')).toBe(0)
  })
})

/** Resolves when the host was seen to be reachable over the bridge and the state on disk says so. */
async function takenOver(): Promise<void> {
  await eventually(async () => {
    const text = await inPod(node, 'sh', '-c', `cat ${node.folder}/state/ovn/gateway-ens3.json || true`)
    return text.includes('"isConfirmed":true')
  })
}

/**
 * How many operations the kernel gets until the takeover is complete. The smallest of three counts: the agent may also
 * have looked at everything once more, and one that is cut off there goes on with what needs no kernel.
 */
async function countSteps(): Promise<number> {
  const counts: number[] = []
  for (let run = 0; run < 3; run++) {
    const counting = cutAfter(node.kernel, Number.POSITIVE_INFINITY)
    await cluster.startAgent(node, counting.kernel)
    await takenOver()
    counts.push(counting.count())
    await cluster.removeAgent(node)
  }
  return Math.min(...counts)
}

/** A kernel that does so many operations and then never answers again. */
function cutAfter(real: Kernel, limit: number): { kernel: Kernel; isCut: () => boolean; count: () => number } {
  let count = 0
  let isCut = false
  const apply = async (netns: string | undefined, operations: readonly Operation[]): Promise<void> => {
    const allowed = operations.slice(0, Math.max(0, limit - count))
    count += allowed.length
    await real.apply(netns, allowed)
    if (allowed.length === operations.length) return
    isCut = true
    await new Promise(() => {})
  }
  return { kernel: { ...real, apply }, isCut: () => isCut, count: () => count }
}

/** An API server that answers until the NIC is in its bridge. */
function losesApi(): { kernel: Kernel; kube: KubeClient } {
  const find: KubeClient['find'] = async (...args) => {
    const bridged = await ip(node.netns, '-o', 'addr', 'show', 'ens3')
    if (!bridged.includes(address)) throw new Error('connection refused')
    return await cluster.kube.find(...args)
  }
  return {
    kernel: node.kernel,
    kube: new Proxy(cluster.kube, { get: (target, key) => (key === 'find' ? find : Reflect.get(target, key)) }),
  }
}

/** A router that goes away in the middle of the move. */
function losesNextHop(): { kernel: Kernel; kube: KubeClient } {
  const apply: Kernel['apply'] = async (netns, operations) => {
    if (operations.some((each) => each.op === 'deleteAddress' && each.device === 'ens3')) {
      await ip(cluster.fabric.fabric, 'addr', 'del', '192.168.200.1/24', 'dev', 'ens3')
    }
    await node.kernel.apply(netns, operations)
  }
  return { kernel: { ...node.kernel, apply }, kube: cluster.kube }
}

/** A ping every 10 ms from beyond the NIC, from now until `lost` is asked. */
class Probe {
  readonly #ping: ChildProcess
  readonly #ended: Promise<unknown>
  #output = ''

  constructor() {
    const ping = ['busybox', 'ping', '-i', '0.01', '-W', '1', address]
    this.#ping = spawn('nsenter', [`--net=${cluster.fabric.fabric}`, ...ping], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#ended = once(this.#ping, 'close')
    for (const stream of [this.#ping.stdout, this.#ping.stderr]) {
      stream?.on('data', (chunk) => {
        this.#output += String(chunk)
      })
    }
  }

  /** Ends the probe. Packets that were answered twice count once; the last is given time to come back. */
  async lost(): Promise<number> {
    await new Promise((resolve) => setTimeout(resolve, 50))
    if (this.#ping.exitCode !== null) throw new Error(`ping ended by itself: ${this.#output.slice(-500)}`)
    this.#ping.kill('SIGINT')
    await this.#ended
    const sent = Number(/(\d+) packets transmitted/.exec(this.#output)?.[1])
    const answered = new Set([...this.#output.matchAll(/seq=(\d+)/g)].map((match) => match[1]))
    return Math.max(0, sent - 1 - answered.size)
  }
}

/** How many of so many pings, 10 ms apart, are not answered. */
async function lossOf(count: number, target = address): Promise<number> {
  const ping = ['busybox', 'ping', '-c', String(count), '-i', '0.01', '-W', '1', target]
  const output = await inPod({ netns: cluster.fabric.fabric }, ...ping).catch((error) => String(error.stdout))
  return count - new Set([...output.matchAll(/seq=(\d+)/g)].map((match) => match[1])).size
}

/** Everything of the host that a takeover could change, in lines that can be compared. */
async function snapshot(): Promise<Record<string, unknown>> {
  const lines = async (...command: string[]): Promise<string[]> =>
    (await inPod(node, ...command))
      .replaceAll(/valid_lft \S+ preferred_lft \S+|expires \d+sec|\bid \d+\b/g, '')
      .split('\n')
      .map((line) => line.trim())
      // Link-local addresses come when the kernel has found nobody else with them.
      .filter((line) => !/br-int|ovs-netdev|fe80:/.test(line) && line !== '')
      .sort()
  return {
    links: (await lines('ip', '-o', '-d', 'link')).map((line) => line.replace(/^\d+: /, '')),
    addresses: (await lines('ip', '-o', 'addr')).map((line) => line.replace(/^\d+: /, '')),
    routes: await lines('ip', 'route', 'show', 'table', 'all'),
    'IPv6 routes': await lines('ip', '-6', 'route', 'show', 'table', 'all'),
    rules: await lines('ip', 'rule'),
    nftables: await lines('nft', 'list', 'ruleset'),
    sysctls: (await lines('sysctl', '-a', '--pattern', '^net.ipv[46].(conf|neigh)')).filter((line) =>
      /ens|lo|all|default/.test(line),
    ),
    offload: await node.kernel.hasChecksumOffload(undefined, 'ens3'),
    bridges: cluster
      .vsctl('n1', 'list-br')
      .split('\n')
      .filter((name) => name !== 'br-int'),
    switch: cluster.vsctl('n1', 'get', 'Open_vSwitch', '.', 'external_ids', 'other_config'),
  }
}

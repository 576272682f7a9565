import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../src/base/observable.ts'
import type { Kernel, Operation } from '../../src/kernel/kernel.ts'
import { pods as podType } from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions, networksAnnotation } from '../../src/kube/resources/net-attach-def.ts'
import { ip, ipJson } from '../support/netns.ts'
import { eventually, OvnCluster, type TestPod } from '../support/ovn-cluster.ts'
import { canPing, inPod, pingFive } from '../support/pod-traffic.ts'

let cluster: OvnCluster

beforeAll(async () => {
  cluster = await OvnCluster.make()
}, 60_000)

afterAll(async () => {
  await cluster.close()
}, 60_000)

async function networkOf(netns: string): Promise<string> {
  const addresses = await ip(netns, '-4', '-o', 'addr', 'show', 'scope', 'global')
  return `${addresses.replace(/^\d+: /gm, '').replace(/valid_lft.*/g, '')}${await ip(netns, 'route')}`
}

async function macOf(netns: string, device: string): Promise<unknown> {
  const [link] = await ipJson(netns, 'link', 'show', device)
  return link?.address
}

function putsOnBridge(operation: Operation): boolean {
  return operation.op === 'ensureAddress' && operation.device === 'brens3'
}

describe('the takeover of the gateway interface', () => {
  test('that fails half-way puts everything back', async () => {
    const node = cluster.node('n1')
    const before = await networkOf(node.netns)
    let failures = 0
    const failing: Kernel = {
      ...node.kernel,
      apply: async (netns, operations) => {
        const at = operations.findIndex(putsOnBridge)
        await node.kernel.apply(netns, at < 0 ? operations : operations.slice(0, at))
        if (at < 0) return
        failures++
        throw new Error('the kernel refuses')
      },
    }
    await cluster.startAgent(node, failing)
    await eventually(() => cluster.side('n1').status().problems.includes('the kernel refuses'))
    await eventually(() => failures >= 2)
    expect(failures).toBeLessThan(5)
    await cluster.side('n1').stop()
    expect(await networkOf(node.netns)).toBe(before)
    expect(cluster.vsctl('n1', 'list-br')).not.toMatch(/brens3/)
    expect(await inPod(node, 'nft', 'list', 'ruleset')).not.toMatch(/chain/)
  }, 40_000)

  test('does nothing without a running switch, and takes its rows back when it is stopped', async () => {
    const node = cluster.node('n1')
    const before = await networkOf(node.netns)
    cluster.fabric.stopSwitch(node)
    await cluster.startAgent(node)
    await eventually(() => cluster.vsctl('n1', '--no-wait', 'list-br').includes('brens3'))
    expect(await networkOf(node.netns)).toBe(before)
    await cluster.side('n1').stop()
    expect(cluster.vsctl('n1', '--no-wait', 'list-br')).not.toMatch(/brens3/)
    await cluster.fabric.startSwitch(node)
  })

  test('moves address, routes and MAC, and the host is reached as before', async () => {
    const { netns } = cluster.node('n1')
    const mac = await macOf(netns, 'ens3')
    await cluster.startController()
    for (const node of cluster.fabric.nodes) await cluster.startAgent(node)
    await cluster.ready()
    expect(await ip(netns, '-4', 'addr', 'show', 'ens3')).toBe('')
    expect(await ip(netns, '-4', 'addr', 'show', 'brens3')).toMatch(/192.168.200.11\/24 brd 192.168.200.255/)
    expect(await ip(netns, 'route')).toMatch(/198.51.100.0\/24 via 192.168.200.1 dev brens3/)
    expect(await macOf(netns, 'brens3')).toBe(mac)
    expect(await canPing({ netns: cluster.fabric.fabric }, '192.168.200.11')).toBe(true)
    expect(await pingFive({ netns: cluster.fabric.fabric }, '192.168.200.11')).toMatch(
      /5 packets received, 0% packet loss/,
    )
    await eventually(() => cluster.side('n1').status().isReady)
    expect(cluster.vsctl('n1', 'list-ports', 'brens3')).toMatch(/patch-brens3_n1-to-br-int/)
  })
})

let a: TestPod
let b: TestPod

describe('an agent that was killed', () => {
  test('finds its node as it was, and loses no packet of running pods', async () => {
    a = await cluster.runPod('a', 'n1')
    b = await cluster.runPod('b', 'n2')
    expect(await canPing(a, b.address)).toBe(true)
    const { netns } = cluster.node('n1')
    const before = await networkOf(netns)
    const probe = inPod(a, 'busybox', 'ping', '-q', '-c', '200', '-i', '0.01', '-w', '10', b.address)
    await cluster.side('n1').stop()
    await cluster.startAgent(cluster.node('n1'))
    await eventually(() => cluster.side('n1').status().isReady)
    expect(await probe).toMatch(/200 packets received, 0% packet loss/)
    expect(await networkOf(netns)).toBe(before)
    expect(await cluster.attach('n1', a.request)).toEqual(a.result)
  })
})

describe('a burst of pods', () => {
  test('is written in few transactions, each pod with its own address', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `burst-${n}`)
    const before = transactions()
    await Promise.all(names.map((name) => cluster.createPod(name, 'n1')))
    const all = () => (names.every((name) => cluster.annotationOf(name) !== undefined) ? true : undefined)
    await waitFor(cluster.pods, all, { what: '40 annotations', timeoutMs: 10_000 })
    const addresses = names.map((name) => JSON.parse(cluster.annotationOf(name) ?? '').default.ip_address)
    expect(new Set(addresses).size).toBe(40)
    expect(transactions() - before).toBeLessThanOrEqual(8)
    await Promise.all(names.map((name) => cluster.deletePod(name)))
    await eventually(() => !cluster.nbctl('lsp-list', 'n1').includes('burst'))
    expect(cluster.nbctl('lr-nat-list', 'GR_n1').split('\n').length).toBe(3)
  })
})

describe('a running pod', () => {
  test('keeps port and traffic without a readable annotation or its network, also over a restart', async () => {
    const before = { ports: portsOf('a', 'b'), annotation: cluster.annotationOf('a') }
    const networks = cluster.pods.get('a', 'default')?.metadata.annotations?.[networksAnnotation] ?? ''
    const definition = await cluster.kube.get(networkAttachmentDefinitions, 'yusur-ovn', 'default')
    await annotate('a', '[{"name": 5}]')
    await cluster.kube.delete(networkAttachmentDefinitions, 'yusur-ovn', { namespace: 'default' })
    // Its pod gets an address only after the controller has seen the changes above.
    cluster.kube.seed(networkAttachmentDefinitions, {
      ...definition,
      metadata: { name: 'later', namespace: 'default' },
    })
    await addressGiven('later-1')
    expect(portsOf('a', 'b')).toEqual(before.ports)
    await cluster.stopController()
    await cluster.startController()
    await addressGiven('later-2')
    expect(portsOf('a', 'b')).toEqual(before.ports)
    expect(cluster.annotationOf('a')).toBe(before.annotation)
    expect(await canPing(a, b.address)).toBe(true)
    for (const name of ['later-1', 'later-2']) await cluster.deletePod(name)
    await annotate('a', networks)
    cluster.kube.seed(networkAttachmentDefinitions, {
      metadata: { name: 'yusur-ovn', namespace: 'default' },
      spec: definition.spec ?? {},
    })
  })
})

describe('a pod that has ended', () => {
  test('gives up port and address at once, and its deletion later takes nothing from others', async () => {
    const job = await cluster.runPod('job', 'n1')
    const pod = await cluster.kube.get(podType, 'job', 'default')
    await cluster.kube.updateStatus(podType, { ...pod, status: { phase: 'Succeeded' } })
    await cluster.portGone('default_job')
    const heir = `[{"name": "yusur-ovn", "ips": ["${job.address}/24"]}]`
    await cluster.createPod('heir', 'n1', heir)
    const given = () => cluster.annotationOf('heir')
    await waitFor(cluster.pods, given, { what: 'the address', timeoutMs: 5000 })
    await cluster.deletePod('job')
    await cluster.createPod('thief', 'n1', heir)
    await eventually(() => cluster.events.some((event) => event.includes(`${job.address} is in use by default/heir`)))
  })

  test('and another of its name on another node gets a port there', async () => {
    await cluster.runPod('mover', 'n1')
    await cluster.deletePod('mover')
    const moved = await cluster.runPod('mover', 'n2')
    expect(moved.address).toMatch(/^10\.144\.1\./)
    expect(cluster.nbctl('lsp-list', 'n1')).not.toMatch(/default_mover/)
    expect(await canPing(a, moved.address)).toBe(true)
  })
})

describe('a node that is removed', () => {
  test('takes its rows with it', async () => {
    await cluster.side('n2').stop()
    for (const name of ['b', 'mover']) await cluster.deletePod(name)
    await cluster.kube.delete(cluster.nodeType, 'n2')
    await eventually(() => !/n2/.test(cluster.nbctl('show') + cluster.nbctl('list', 'Static_MAC_Binding')))
    expect(cluster.nbctl('lr-route-list', 'ovn_cluster_router')).not.toMatch(/10.144.1.0/)
    expect(await canPing(a, '203.0.113.1')).toBe(true)
  })
})

/** Row and address of logical ports; another row would have another UUID. */
function portsOf(...names: string[]): string[] {
  return names.map((name) => cluster.nbctl('get', 'Logical_Switch_Port', `default_${name}`, '_uuid', 'addresses'))
}

async function annotate(name: string, networks: string): Promise<void> {
  const body = { metadata: { annotations: { [networksAnnotation]: networks } } }
  await cluster.kube.patch(podType, name, { type: 'merge', body }, { namespace: 'default' })
}

/** Creates a pod of the network `later` and waits for its address. */
async function addressGiven(name: string): Promise<void> {
  await cluster.createPod(name, 'n1', 'later')
  await waitFor(cluster.pods, () => cluster.annotationOf(name), { what: 'the address', timeoutMs: 5000 })
}

/** How many transactions the northbound database has logged. */
function transactions(): number {
  const log = execFileSync('ovsdb-tool', ['show-log', `${cluster.fabric.folder}/nb.db`], { encoding: 'utf8' })
  return log.split('\n').filter((line) => line.startsWith('record ')).length
}

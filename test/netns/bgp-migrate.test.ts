import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { silentLog } from '../../src/base/log.ts'
import { configMaps } from '../../src/kube/resources/core.ts'
import type { MigrationTarget } from '../../src/networks/routed/bgp/migration/plan.ts'
import { runMigration } from '../../src/networks/routed/bgp/migration/run.ts'
import { loadTopology } from '../../src/networks/routed/bgp/migration/write.ts'
import { bgpConfigurations, bgpPeers, calicoNodeStatuses } from '../../src/networks/routed/resources.ts'
import { type Peer, startFrr } from './support/peers.ts'
import { createRoutedCluster, eventually, type RoutedCluster, type RoutedNode } from './support/routed-cluster.ts'
import { type ProbeEnd, startProbes } from './support/udp-probe.ts'

const addresses = { master01: '192.168.100.10', work01: '192.168.100.101', work02: '192.168.100.102' }
let cluster: RoutedCluster
let ends: ProbeEnd[]
let tor: Peer

beforeAll(async () => {
  cluster = await createRoutedCluster(addresses)
  ends = []
  for (const node of cluster.nodes) {
    const { address } = await cluster.attach(node, await cluster.createPod(`on-${node.name}`))
    ends.push({ prefix: ['ip', 'netns', 'exec', `pod-on-${node.name}`], address })
  }
  tor = await startFrr({
    name: 'tor',
    address: '192.168.100.1',
    asNumber: 65000,
    lines: Object.values(addresses).map((address) => `neighbor ${address} remote-as 64512`),
  })
  await eventually('the mesh', async () => {
    for (const node of cluster.nodes) expect(await sessions(node)).toHaveLength(2)
    for (const node of cluster.nodes) for (const line of await sessions(node)) expect(line).toMatch(/Established$/)
  })
})

afterAll(async () => {
  await tor?.stop()
  await cluster?.stop()
})

async function sessions(node: RoutedNode): Promise<string[]> {
  const found = (await node.protocols()).filter(({ protocol }) => protocol === 'BGP')
  return found.map(({ name, info }) => `${name} ${info}`).sort()
}

interface Outcome {
  readonly said: string[]
  readonly error: unknown
  /** Pairs of pods that lost a datagram. */
  readonly losses: unknown[]
}

/** Runs a migration while every pod sends to every other. */
async function migrate(
  target: MigrationTarget,
  { timeoutMs = 30_000, onSay = () => {} }: { timeoutMs?: number; onSay?: (line: string) => void } = {},
): Promise<Outcome> {
  const said: string[] = []
  const probes = await startProbes(ends)
  const options = {
    kube: cluster.kube,
    log: silentLog,
    timeoutMs,
    skippedNodes: [],
    say: (line: string) => {
      said.push(line)
      onSay(line)
    },
  }
  const error = await runMigration(target, options, new AbortController().signal).catch((failure) => failure)
  const results = await probes.stop()
  for (const { sent } of results) expect(sent).toBeGreaterThan(100)
  return { said, error, losses: results.filter(({ lost }) => lost !== 0) }
}

/** Nothing is left behind that only a migration needs. */
async function expectTidy(): Promise<void> {
  expect((await cluster.kube.list(calicoNodeStatuses)).items).toEqual([])
  expect((await cluster.kube.list(configMaps)).items).toEqual([])
  for (const { metadata } of (await cluster.kube.list(bgpConfigurations)).items) {
    expect(metadata.annotations ?? {}).toEqual({})
  }
}

describe('a migration under traffic of every pod to every other, a datagram every 10 ms', () => {
  beforeEach(expectTidy)

  it('from the mesh to two route reflectors loses no packet', async () => {
    const { error, losses } = await migrate({ to: 'route-reflectors', reflectors: ['master01', 'work01'] })
    expect(error).toBeUndefined()
    expect(losses).toEqual([])
    const [master01, , work02] = cluster.nodes as [RoutedNode, RoutedNode, RoutedNode]
    expect(await sessions(master01)).toEqual(['Node_192_168_100_101 Established', 'Node_192_168_100_102 Established'])
    expect(await sessions(work02)).toEqual(['Node_192_168_100_10 Established', 'Node_192_168_100_101 Established'])
    await expectTidy()
  })

  it('to one of the two, then back to the mesh, loses none', async () => {
    const one = await migrate({ to: 'route-reflectors', reflectors: ['work01'] })
    expect(one).toMatchObject({ error: undefined, losses: [] })
    const mesh = await migrate({ to: 'mesh' })
    expect(mesh).toMatchObject({ error: undefined, losses: [] })
    for (const node of cluster.nodes) {
      for (const line of await sessions(node)) expect(line).toMatch(/^Mesh_\S+ Established$/)
    }
    expect((await cluster.kube.list(bgpPeers)).items).toEqual([])
  })

  it('to a ToR router of AS 65000 and back loses none', async () => {
    const there = await migrate({ to: 'tor', peerIPs: ['192.168.100.1'], asNumber: 65000 })
    expect(there).toMatchObject({ error: undefined, losses: [] })
    for (const node of cluster.nodes) expect(await sessions(node)).toEqual(['Global_192_168_100_1 Established'])
    const back = await migrate({ to: 'mesh' })
    expect(back).toMatchObject({ error: undefined, losses: [] })
  })

  it('to a reflector that nobody can connect to is taken back, and loses none', async () => {
    const before = await loadTopology(cluster.kube)
    const [master01] = cluster.nodes as [RoutedNode]
    for (const hook of ['input', 'output']) {
      await master01.exec('nft', `add table inet cut_${hook}`)
      await master01.exec('nft', `add chain inet cut_${hook} rules { type filter hook ${hook} priority 0; }`)
      // What is established goes on; nothing new is.
      await master01.exec('nft', `add rule inet cut_${hook} rules tcp dport 179 tcp flags & (syn | ack) == syn drop`)
    }
    const heal = async (): Promise<void> => {
      for (const hook of ['input', 'output']) await master01.exec('nft', `delete table inet cut_${hook}`)
    }
    let healed: Promise<void> | undefined
    const { error, losses } = await migrate(
      { to: 'route-reflectors', reflectors: ['master01', 'work01'] },
      {
        timeoutMs: 8000,
        onSay: (line) => {
          if (line.startsWith('Failed')) healed = heal()
        },
      },
    )
    await healed
    expect(String(error)).toMatch(/the session with 192\.168\.100\.10.*everything is as it was before/)
    expect(losses).toEqual([])
    const after = await loadTopology(cluster.kube)
    expect(after.peers).toEqual(before.peers)
    expect(after.nodes.map(({ metadata }) => metadata.annotations)).toEqual(
      before.nodes.map(({ metadata }) => metadata.annotations),
    )
  })
})

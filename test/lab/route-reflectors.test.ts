import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 2, points 2 and 3: blocks and the mesh, then the article's route-reflector steps. Needs a cluster of its own. */
describe('BGP, from the node-to-node mesh to route reflectors', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab({ fresh: true })
    for (const node of ['master01', 'work01', 'work02']) {
      await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name: `on-${node}`, node }) })
    }
    for (const node of ['master01', 'work01', 'work02']) {
      await lab.cli(['wait', `pod/on-${node}`, '--for=condition=Ready', '--timeout=60s'])
    }
  })

  it('the pool is the one of the article: /24 blocks of 10.244.0.0/16, no encapsulation, natOutgoing', async () => {
    const pools = await lab.json<{ items: { spec: Record<string, unknown> }[] }>(['get', 'ippools', '-o', 'json'])
    expect(pools.items.map((pool) => pool.spec)).toEqual([
      expect.objectContaining({
        cidr: '10.244.0.0/16',
        blockSize: 24,
        ipipMode: 'Never',
        vxlanMode: 'Never',
        natOutgoing: true,
      }),
    ])
  })

  it('blocks, affinities and handles are objects, one confirmed block a node that has a pod', async () => {
    const affinities = await lab.json<{ items: { spec: { node: string; state: string; cidr: string } }[] }>([
      'get',
      'blockaffinities',
      '-o',
      'json',
    ])
    expect(affinities.items.map((item) => item.spec.node).sort()).toEqual(['master01', 'work01', 'work02'])
    expect(affinities.items.every((item) => item.spec.state === 'confirmed')).toBe(true)
    const blocks = await lab.json<{ items: { spec: { cidr: string } }[] }>(['get', 'ipamblocks', '-o', 'json'])
    expect(blocks.items.map((item) => item.spec.cidr).sort()).toEqual(
      affinities.items.map((item) => item.spec.cidr).sort(),
    )
    const handles = await lab.json<{ items: unknown[] }>(['get', 'ipamhandles', '-o', 'json'])
    expect(handles.items).toHaveLength(3)
  })

  it('the address of each node is that of ens2', async () => {
    const list = await lab.json<{ items: { metadata: { name: string }; spec: { bgp?: { ipv4Address?: string } } }[] }>([
      'get',
      'nodes.projectcalico.org',
      '-o',
      'json',
    ])
    expect(Object.fromEntries(list.items.map((node) => [node.metadata.name, node.spec.bgp?.ipv4Address]))).toEqual({
      master01: '192.168.100.10/24',
      work01: '192.168.100.101/24',
      work02: '192.168.100.102/24',
    })
  })

  it.each([
    ['master01', ['192.168.100.101', '192.168.100.102']],
    ['work01', ['192.168.100.10', '192.168.100.102']],
    ['work02', ['192.168.100.10', '192.168.100.101']],
  ])('by default %s is meshed with every other node', async (node, peers) => {
    await eventually(async () => {
      expect(await nodeStatus(lab, node)).toEqual(peers.map((peer) => [peer, 'node-to-node mesh', 'up', 'Established']))
    })
  })

  it("every node has the others' blocks in its kernel table by their ens2 address, and no /32 of them", async () => {
    await expectBlocksEverywhere(lab)
  })

  it("the article's steps lead to sessions with the route reflector only", async () => {
    await lab.cli(['label', 'node', 'master01', 'route-reflector=true'])
    const master = await lab.cli(['get', 'nodes.projectcalico.org', 'master01', '-o', 'yaml'])
    const changed = master.stdout.replace(
      /^( +)bgp:\n/m,
      '$1bgp:\n$1  asNumber: 63400\n$1  routeReflectorClusterID: 192.168.100.10\n',
    )
    expect(changed).not.toBe(master.stdout)
    expect((await lab.cli(['apply', '-f', '-'], { input: changed })).stdout).toContain(
      "Successfully applied 1 'Node' resource(s)",
    )
    await lab.cli(['apply', '-f', `${articleFolder}bgpconfig.yaml`])
    await lab.cli(['apply', '-f', `${articleFolder}peer.yaml`])
    await eventually(async () => {
      expect(await nodeStatus(lab, 'master01')).toEqual([
        ['192.168.100.101', 'node specific', 'up', 'Established'],
        ['192.168.100.102', 'node specific', 'up', 'Established'],
      ])
      expect(await nodeStatus(lab, 'work01')).toEqual([['192.168.100.10', 'node specific', 'up', 'Established']])
      expect(await nodeStatus(lab, 'work02')).toEqual([['192.168.100.10', 'node specific', 'up', 'Established']])
    })
  })

  it('reflected routes keep the next hop of the node that has the block', async () => {
    await expectBlocksEverywhere(lab)
  })

  it('pods reach each other across nodes through the reflected routes', async () => {
    const pod = await lab.json<{ status: { podIP: string } }>(['get', 'pod', 'on-work02', '-o', 'json'])
    const { stdout } = await lab.cli(['exec', 'on-work01', '--', 'ping', '-c', '3', '-W', '2', pod.status.podIP])
    expect(stdout).toContain(' 0% packet loss')
  })

  it('the status is printed in the layout of calicoctl', async () => {
    const { stdout } = await lab.exec('work01', ['twinlane', 'node', 'status'])
    expect(stdout).toMatch(
      /^Calico process is running\.\n\nIPv4 BGP status\n(\+-+){5}\+\n\| +PEER ADDRESS +\| +PEER TYPE +\| STATE \| +SINCE +\| +INFO +\|\n(\+-+){5}\+\n\| 192\.168\.100\.10 \| node specific \| up +\| \S+ +\| Established \|\n(\+-+){5}\+\n\nIPv6 BGP status\nNo IPv6 peers found\.\n/,
    )
  })
})

/** Rows of `node status`: address, type, state, info. */
async function nodeStatus(lab: Lab, node: string): Promise<string[][]> {
  const { stdout } = await lab.exec(node, ['twinlane', 'node', 'status'])
  return stdout
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .filter((cell) => cell !== ''),
    )
    .map(([address = '', type = '', state = '', , info = '']) => [address, type, state, info])
}

async function expectBlocksEverywhere(lab: Lab): Promise<void> {
  const hosts = { master01: '192.168.100.10', work01: '192.168.100.101', work02: '192.168.100.102' }
  const affinities = await lab.json<{ items: { spec: { node: keyof typeof hosts; cidr: string } }[] }>([
    'get',
    'blockaffinities',
    '-o',
    'json',
  ])
  for (const node of Object.keys(hosts)) {
    const others = affinities.items.filter((item) => item.spec.node !== node)
    const expected = others.map((item) => `${item.spec.cidr} via ${hosts[item.spec.node]} dev ens2`).sort()
    await eventually(async () => {
      const { stdout } = await lab.exec(node, ['ip', '-4', 'route', 'show', 'proto', 'bird'])
      const learned = stdout
        .split('\n')
        .map((line) => /^10\.244\.\S+ via \S+ dev \S+/.exec(line)?.[0])
        .filter((line) => line !== undefined)
      expect(learned.sort()).toEqual(expected)
    })
  }
}

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../../../test/support/api-server.ts'
import { parseCidr } from '../../../base/ip.ts'
import { type ClosableKubeClient, createKubeClient } from '../../../kube/client.ts'
import { loadKubeConfig } from '../../../kube/kubeconfig.ts'
import { nodes, pods } from '../../../kube/resources/core.ts'
import { installResources } from '../../../lab/install-resources.ts'
import { affinityName } from '../../../networks/routed/ipam/affinity.ts'
import { assignAddress, newBlock, releaseAddress } from '../../../networks/routed/ipam/block.ts'
import {
  blockAffinities,
  type IPAMBlock,
  ipamBlocks,
  ipamConfigurations,
  ipamHandles,
  ipPools,
} from '../../../networks/routed/resources.ts'
import { runCli } from '../../main.ts'

let server: TestApiServer
let kube: ClosableKubeClient

beforeAll(async () => {
  server = await startTestApiServer()
  kube = createKubeClient(await loadKubeConfig(server.kubeconfig))
  await installResources(kube)
  await kube.create(ipPools, { metadata: { name: 'pods' }, spec: { cidr: '10.244.0.0/16', blockSize: 24 } })
  await kube.create(pods, {
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'work01', containers: [{ name: 'c', image: 'i' }] },
  })
}, 30_000)
afterAll(async () => {
  await kube?.close()
  await server?.stop()
})
beforeEach(async () => {
  for (const { metadata } of (await kube.list(ipamBlocks)).items) await kube.delete(ipamBlocks, metadata.name)
  for (const { metadata } of (await kube.list(ipamHandles)).items) await kube.delete(ipamHandles, metadata.name)
  for (const { metadata } of (await kube.list(blockAffinities)).items) await kube.delete(blockAffinities, metadata.name)
  let block = newBlock(parseCidr('10.244.83.0/24'), { nodeName: 'work01', now: 0 })
  block = take(block, '10.244.83.1', { node: 'work01', namespace: 'default', pod: 'web' })
  block = take(block, '10.244.83.2', { node: 'work02', namespace: 'default', pod: 'gone' })
  await kube.create(ipamBlocks, block)
  await kube.create(blockAffinities, claim('work01', '10.244.83.0/24', 'confirmed'))
  for (const name of ['net.web', 'net.gone', 'net.empty']) {
    await kube.create(ipamHandles, { metadata: { name }, spec: { handleID: name, block: {}, deleted: false } })
  }
})

function claim(node: string, cidr: string, state: 'pending' | 'confirmed') {
  return { metadata: { name: affinityName(node, cidr) }, spec: { state, node, cidr, type: 'host', deleted: 'false' } }
}

function take(block: IPAMBlock, address: string, secondary: Record<string, string>): IPAMBlock {
  const taken = assignAddress(block, address, { handleId: `net.${secondary.pod}`, secondary })
  if (taken === undefined) throw new Error(`${address} is not free`)
  return taken.block
}

async function ipam(line: string): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const code = await runCli({
    argv: ['ipam', ...line.split(' ')],
    env: { KUBECONFIG: server.kubeconfig },
    cwd: server.folder,
    stdin: stdin as never,
    stdout: stdout as never,
    stderr: stderr as never,
  })
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '')
  return { code, out: read(stdout), err: read(stderr) }
}

describe('ipam show', () => {
  test("has calicoctl's table of pools and blocks", async () => {
    expect((await ipam('show --show-blocks')).out.split('\n')).toEqual([
      '+----------+----------------+-----------+------------+--------------+',
      '| GROUPING |      CIDR      | IPS TOTAL | IPS IN USE |   IPS FREE   |',
      '+----------+----------------+-----------+------------+--------------+',
      '| IP Pool  | 10.244.0.0/16  | 65536     | 2 (0%)     | 65534 (100%) |',
      '| Block    | 10.244.83.0/24 | 256       | 2 (1%)     | 254 (99%)    |',
      '+----------+----------------+-----------+------------+--------------+',
      '',
    ])
  })

  test('says who has an address, and that nobody has', async () => {
    expect((await ipam('show --ip=10.244.83.1')).out).toBe(
      'IP 10.244.83.1 is in use\nHandle: net.web\nAttributes:\n  node: work01\n  namespace: default\n  pod: web\n',
    )
    expect((await ipam('show --ip=10.244.83.9')).out).toBe('IP 10.244.83.9 is not assigned\n')
    expect(await ipam('show --ip=10.244.83.900')).toMatchObject({ code: 2, out: '' })
  })

  test('shows addresses that a node has borrowed', async () => {
    expect((await ipam('show --show-borrowed')).out).toContain(
      '| 10.244.83.2 | work02         | 10.244.83.0/24 | work01      | pod  | default/gone |',
    )
  })
})

describe('ipam check', () => {
  test('finds what does not fit together, writes it to a file, and fails', async () => {
    const { code, out } = await ipam('check --show-problem-ips -o report.json')
    expect(code).toBe(1)
    expect(out).toContain('10.244.83.2 is allocated to default/gone on work02, which does not have it')
    expect(out).toContain('Found 1 handles that hold nothing.')
    expect(out).toContain('Check complete; found 2 problems.')
    const report = JSON.parse(await readFile(join(server.folder, 'report.json'), 'utf8'))
    expect(report.problems.map(({ kind }: { kind: string }) => kind)).toEqual(['leaked address', 'leaked handle'])
  })

  test('is content when all fits', async () => {
    await ipam('release --ip=10.244.83.2')
    await kube.delete(ipamHandles, 'net.empty')
    expect(await ipam('check')).toMatchObject({ code: 0, out: expect.stringContaining('found 0 problems') })
  })
})

describe('ipam check of claims', () => {
  test('finds claims without a block, and blocks without a claim', async () => {
    await kube.create(blockAffinities, claim('work02', '10.244.9.0/24', 'confirmed'))
    await kube.create(blockAffinities, claim('work02', '10.244.83.0/24', 'pending'))
    await kube.delete(blockAffinities, affinityName('work01', '10.244.83.0/24'))
    const { out } = await ipam('check --show-problem-ips')
    expect(out).toContain('Found 3 claims of blocks that are not whole.')
    expect(out).toContain("10.244.9.0/24 is claimed by work02 (confirmed); the block is nobody's")
    expect(out).toContain("10.244.83.0/24 is claimed by work02 (pending); the block is work01's")
    expect(out).toContain("10.244.83.0/24 is work01's, which has no claim of it")
  })

  test('shows blocks with their owners, and every address of them when asked to', async () => {
    const { out } = await ipam('check --show-all-ips')
    expect(out).toContain(' IPAM block 10.244.83.0/24 affinity=host:work01:\n')
    expect(out).toContain('  10.244.83.1 net.web default/web on work01\n')
    expect(out).toContain('IPAM blocks record 2 allocations.')
    expect(out).toContain('  work01 has 1 allocations\n')
  })
})

describe('ipam release --from-report', () => {
  test('frees what was found, with its handle, and nothing else', async () => {
    await ipam('check -o report.json')
    expect((await ipam('release --from-report=report.json')).out).toBe('Released 1 of 1 IPs, looked at 1 handles\n')
    expect((await ipam('show --ip=10.244.83.2')).out).toContain('is not assigned')
    expect((await ipam('show --ip=10.244.83.1')).out).toContain('is in use')
    expect((await kube.list(ipamHandles)).items.map(({ metadata }) => metadata.name)).toEqual(['net.web'])
  })

  test('leaves alone what somebody else was given since, or what a pod has after all', async () => {
    await ipam('check -o report.json')
    const [block] = (await kube.list(ipamBlocks)).items
    if (block === undefined) throw new Error('no block')
    await kube.update(ipamBlocks, take(releaseAddress(block, '10.244.83.2'), '10.244.83.2', { pod: 'gone' }))
    const { out } = await ipam('release --from-report=report.json')
    expect(out).toContain('10.244.83.2 is not what the report says any more; left alone')
    expect((await ipam('show --ip=10.244.83.2')).out).toContain('is in use')
  })

  test('of several clusters frees what all reports agree on', async () => {
    await ipam('check -o one.json')
    const report = JSON.parse(await readFile(join(server.folder, 'one.json'), 'utf8'))
    report.allocations['10.244.83.2'][0].inUse = true
    await writeFile(join(server.folder, 'two.json'), JSON.stringify(report))
    const { out } = await ipam('release --from-report=one.json --from-report=two.json')
    expect(out).toContain('Released 0 of 0 IPs')
    await writeFile(join(server.folder, 'no.json'), '{}')
    expect(await ipam('release --from-report=no.json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('no.json'),
    })
  })
})

describe('ipam split', () => {
  const cidrs = async (): Promise<string[]> =>
    (await kube.list(ipPools)).items.map(({ metadata, spec }) => `${metadata.name} ${spec.cidr}`)

  afterEach(async () => {
    for (const { metadata } of (await kube.list(ipPools)).items) await kube.delete(ipPools, metadata.name)
    await kube.create(ipPools, { metadata: { name: 'pods' }, spec: { cidr: '10.244.0.0/16', blockSize: 24 } })
  })

  test('divides a pool and keeps its settings, also when it was cut short before', async () => {
    await kube.create(ipPools, { metadata: { name: 'pods-0' }, spec: { cidr: '10.244.0.0/18', blockSize: 24 } })
    expect((await ipam('split 4 --cidr=10.244.0.0/16')).out).toContain('Successfully split IPPool pods into:\n  pods-0')
    expect(await cidrs()).toEqual(['0', '64', '128', '192'].map((third, index) => `pods-${index} 10.244.${third}.0/18`))
    expect((await kube.get(ipPools, 'pods-3')).spec.blockSize).toBe(24)
  })

  test('refuses parts that are smaller than a block, and numbers that are no power of two', async () => {
    const refused = await ipam('split 512 --name=pods')
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('its blocks are /24') })
    expect((await ipam('split 3 --name=pods')).code).toBe(2)
    expect((await ipam('split 2 --name=none')).err).toContain('there is no IPPool none')
    expect(await cidrs()).toEqual(['pods 10.244.0.0/16'])
  })
})

describe('ipam release', () => {
  test('gives back what nobody has, and only then', async () => {
    expect(await ipam('release --ip=10.244.83.2')).toMatchObject({
      code: 0,
      out: 'Successfully released IP address 10.244.83.2\n',
    })
    expect((await ipam('show --ip=10.244.83.2')).out).toContain('is not assigned')
    expect(await ipam('release --ip=10.244.83.2')).toMatchObject({ code: 1 })
  })

  test('refuses the address of a pod that is there, unless it is forced', async () => {
    const refused = await ipam('release --ip=10.244.83.1')
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('is in use by pod default/web') })
    expect((await ipam('release --ip=10.244.83.1 --force')).code).toBe(0)
  })
})

describe('ipam configure', () => {
  test('changes what is said and keeps the rest', async () => {
    await ipam('configure --strictaffinity=true')
    await ipam('configure --max-blocks-per-host=4')
    expect((await kube.get(ipamConfigurations, 'default')).spec).toMatchObject({
      strictAffinity: true,
      maxBlocksPerHost: 4,
    })
    expect((await ipam('show --show-configuration')).out).toContain('| MaxBlocksPerHost   | 4     |')
    expect((await ipam('configure --strictaffinity=maybe')).code).toBe(2)
    expect((await ipam('configure --max-blocks-per-host=-1')).code).toBe(2)
  })

  test('names the pools that have fewer blocks than nodes when none may be borrowed from any more', async () => {
    await kube.create(ipPools, { metadata: { name: 'tiny' }, spec: { cidr: '10.9.9.0/26', blockSize: 26 } })
    for (const name of ['n1', 'n2']) await kube.create(nodes, { metadata: { name } })
    await kube.delete(ipPools, 'pods')
    try {
      const { code, err } = await ipam('configure --strictaffinity=true')
      expect({ code, err }).toMatchObject({ code: 0, err: expect.stringContaining('warning: IPPool tiny: ') })
    } finally {
      await kube.delete(ipPools, 'tiny')
      await kube.create(ipPools, { metadata: { name: 'pods' }, spec: { cidr: '10.244.0.0/16', blockSize: 24 } })
    }
  })
})

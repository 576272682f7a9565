import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../../../test/support/api-server.ts'
import { parseCidr } from '../../../base/ip.ts'
import { type ClosableKubeClient, createKubeClient } from '../../../kube/client.ts'
import { loadKubeConfig } from '../../../kube/kubeconfig.ts'
import { pods } from '../../../kube/resources/core.ts'
import { installResources } from '../../../lab/install-resources.ts'
import { assignAddress, newBlock } from '../../../networks/routed/ipam/block.ts'
import {
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
  let block = newBlock(parseCidr('10.244.83.0/24'), { nodeName: 'work01', now: 0 })
  block = take(block, '10.244.83.1', { node: 'work01', namespace: 'default', pod: 'web' })
  block = take(block, '10.244.83.2', { node: 'work02', namespace: 'default', pod: 'gone' })
  await kube.create(ipamBlocks, block)
  for (const name of ['net.web', 'net.gone', 'net.empty']) {
    await kube.create(ipamHandles, { metadata: { name }, spec: { handleID: name, block: {}, deleted: false } })
  }
})

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
      '+----------+----------------+-----------+------------+-------------+',
      '| GROUPING |      CIDR      | IPS TOTAL | IPS IN USE |  IPS FREE   |',
      '+----------+----------------+-----------+------------+-------------+',
      '| IP Pool  | 10.244.0.0/16  | 65536     | 2 (0%)     | 65534 (99%) |',
      '| Block    | 10.244.83.0/24 | 256       | 2 (0%)     | 254 (99%)   |',
      '+----------+----------------+-----------+------------+-------------+',
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
    for (const name of ['net.gone', 'net.empty']) await kube.delete(ipamHandles, name)
    expect(await ipam('check')).toMatchObject({ code: 0, out: expect.stringContaining('found 0 problems') })
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
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startTestApiServer, type TestApiServer } from '../../../../test/support/api-server.ts'
import { type ClosableKubeClient, createKubeClient } from '../../../kube/client.ts'
import { loadKubeConfig } from '../../../kube/kubeconfig.ts'
import { nodes, services } from '../../../kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../../kube/resources/net-attach-def.ts'
import { installResources } from '../../../lab/install-resources.ts'
import { runCli } from '../../main.ts'

let server: TestApiServer
let kube: ClosableKubeClient

const fixed = {
  cniVersion: '1.0.0',
  name: 'first',
  type: 'bridge',
  mtu: 1450,
  ipam: {
    type: 'static',
    addresses: [{ address: '10.1.0.5/24', gateway: '10.1.0.1' }],
    routes: [{ dst: '0.0.0.0/0' }],
  },
}
const ranged = {
  cniVersion: '1.0.0',
  name: 'second',
  type: 'macvlan',
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.2.0.0/24' }]], routes: [{ dst: '10.96.0.0/12' }] },
}

beforeAll(async () => {
  server = await startTestApiServer()
  kube = createKubeClient(await loadKubeConfig(server.kubeconfig))
  await installResources(kube)
  for (const name of ['work01', 'work02']) await kube.create(nodes, { metadata: { name } })
  await kube.create(networkAttachmentDefinitions, {
    metadata: { name: 'second', namespace: 'default' },
    spec: { config: JSON.stringify(ranged) },
  })
  const netConf = { cniVersion: '1.0.0', name: 'all', type: 'twinlane', delegates: [fixed] }
  await writeFile(join(server.folder, 'net.conf'), JSON.stringify(netConf))
  await writeFile(join(server.folder, 'config.yaml'), 'networks: {}\n')
}, 30_000)
afterAll(async () => {
  await kube?.close()
  await server?.stop()
})

async function preview(networks: string, ...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const annotations = { 'k8s.v1.cni.cncf.io/networks': networks }
  const spec = { containers: [{ name: 'c', image: 'i' }] }
  stdin.end(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', annotations }, spec }))
  const code = await runCli({
    argv: ['preview', 'pod', '-f', '-', '--config', 'config.yaml', '--net-conf', 'net.conf', ...flags],
    env: { KUBECONFIG: server.kubeconfig },
    cwd: server.folder,
    stdin: stdin as never,
    stdout: stdout as never,
    stderr: stderr as never,
  })
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '')
  return { code, out: read(stdout), err: read(stderr) }
}

describe('preview pod', () => {
  test('prints a pod that is the same on all nodes once, for people', async () => {
    const { code, out } = await preview('second@eth1')
    expect(out.split('\n')).toEqual([
      'On work01, work02:',
      '  eth0 (first): 10.1.0.5/24, MTU 1450',
      '  eth1 (default/second): an address of 10.2.0.0/24',
      'ip route:',
      '  10.1.0.0/24 dev eth0 scope link src 10.1.0.5',
      '  default via 10.1.0.1 dev eth0',
      '  10.2.0.0/24 dev eth1 scope link src <eth1>',
      '  10.96.0.0/12 via 10.2.0.1 dev eth1',
      'ip rule:',
      '  1000: from 10.1.0.5 lookup 1000',
      '  1001: from <eth1> lookup 1001',
      'ip route show table 1000:',
      '  10.1.0.0/24 dev eth0 scope link src 10.1.0.5',
      '  default via 10.1.0.1 dev eth0',
      'ip route show table 1001:',
      '  10.2.0.0/24 dev eth1 scope link src <eth1>',
      '  10.96.0.0/12 via 10.2.0.1 dev eth1',
      '  default via 10.2.0.1 dev eth1',
      'Not known before:',
      '  eth0: what the plugin "bridge" does beyond its configuration only its ADD can tell',
      '  eth1: what the plugin "macvlan" does beyond its configuration only its ADD can tell',
      '',
    ])
    expect(code).toBe(0)
  })

  test('prints the same as YAML and as JSON, for one node', async () => {
    const yaml = parse((await preview('second@eth1', '--node', 'work02', '-o', 'yaml')).out) as object[]
    expect(yaml).toMatchObject([{ nodes: ['work02'], interfaces: [{ name: 'eth0' }, { ranges: ['10.2.0.0/24'] }] }])
    expect(yaml).toEqual(JSON.parse((await preview('second@eth1', '--node', 'work02', '-o', 'json')).out))
  })

  test('names the interface by which the pod reaches the cluster DNS: that of the longest prefix', async () => {
    await kube.create(services, {
      metadata: { name: 'kube-dns', namespace: 'kube-system' },
      spec: { clusterIP: '10.96.0.10', ports: [{ port: 53, protocol: 'UDP' }] },
    })
    expect((await preview('second@eth1')).out).toContain('\nDNS:\n  10.96.0.10 by eth1\n')
    expect((await preview('')).out).toContain('\nDNS:\n  10.96.0.10 by eth0\n')
    await kube.delete(services, 'kube-dns', { namespace: 'kube-system' })
  })

  test('ends with 1 and the error of the ADD', async () => {
    const { code, out, err } = await preview('second@lo')
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('loopback')
    expect((await preview('', '--node', 'work09')).err).toContain('work09')
    expect((await preview('', '--net-conf', 'none.conf')).err).toContain('there is no')
  })
})

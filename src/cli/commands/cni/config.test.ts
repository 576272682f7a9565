import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isMetaConfig, parseMetaConfig } from '../../../meta/net-conf.ts'
import { runCli } from '../../main.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cni-config-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function config(...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const streams = { stdin, stdout, stderr } as unknown as Pick<Parameters<typeof runCli>[0], 'stdin'> & {
    stdout: NodeJS.WriteStream
    stderr: NodeJS.WriteStream
  }
  const argv = ['cni', 'config', '--cni-conf-dir', folder, ...flags]
  const code = await runCli({ argv, env: {}, cwd: folder, ...streams })
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

const calico = {
  cniVersion: '0.3.1',
  name: 'k8s-pod-network',
  plugins: [
    { type: 'calico', ipam: { type: 'calico-ipam' } },
    { type: 'portmap', snat: true, capabilities: { portMappings: true } },
    { type: 'bandwidth', capabilities: { bandwidth: true, other: false } },
  ],
}

async function put(name: string, content: unknown): Promise<void> {
  await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
}

async function read(name: string) {
  return JSON.parse(await readFile(join(folder, name), 'utf8'))
}

describe('twinlane cni config', () => {
  test('puts the first default network into a configuration that we can read, with all its capabilities', async () => {
    await put('10-calico.conflist', calico)
    await put('20-other.conf', { cniVersion: '0.3.1', name: 'other', type: 'bridge' })
    expect(await config()).toMatchObject({ code: 0, out: `Wrote ${folder}/00-multus.conf.\n` })
    const written = await read('00-multus.conf')
    expect(written).toEqual({
      cniVersion: '0.3.1',
      name: 'multus-cni-network',
      type: 'twinlane',
      capabilities: { portMappings: true, bandwidth: true },
      logToStderr: true,
      delegates: [calico],
    })
    expect(isMetaConfig(written)).toBe(true)
    expect(parseMetaConfig(written).networks).toMatchObject({ delegates: [{ name: 'k8s-pod-network' }] })
  })

  test('passes over meta-plugins, and is a list for a default network of CNI 1.0', async () => {
    await put('00-multus.conf', { cniVersion: '0.3.1', name: 'm', type: 'multus', delegates: [] })
    await put('00-twinlane.conf', { cniVersion: '1.0.0', name: 'm', type: 'twinlane', delegates: [calico] })
    await put('10-net.conf', { cniVersion: '1.0.0', name: 'net', type: 'bridge' })
    expect((await config('--override-network-name')).code).toBe(0)
    const written = await read('00-multus.conflist')
    expect(written).toMatchObject({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'twinlane' }] })
    expect(written.plugins[0].delegates[0].name).toBe('net')
  })

  test("writes what Multus' flags say", async () => {
    await put('10-calico.conflist', calico)
    await put('20-other.conf', { cniVersion: '0.3.1', name: 'other', type: 'bridge' })
    const flags = [
      '--multus-conf-file=auto',
      '--multus-master-cni-file-name=20-other.conf',
      '--cni-version=0.4.0',
      '--force-cni-version=true',
      '--namespace-isolation=true',
      '--global-namespaces=default,storage',
      '--readiness-indicator-file=/run/ready',
      '--multus-cni-conf-dir=/etc/cni/multus/net.d',
      '--additional-bin-dir=/opt/multus/bin',
      '--multus-kubeconfig-file-host=/etc/cni/net.d/multus.d/multus.kubeconfig',
      '--multus-log-to-stderr=false',
      '--multus-log-level=verbose',
      '--multus-log-file=/var/log/multus.log',
      '--cleanup-config-on-exit=true',
      '--rename-conf-file=true',
    ]
    expect((await config(...flags)).code).toBe(0)
    expect(await read('00-multus.conf')).toEqual({
      cniVersion: '0.4.0',
      name: 'multus-cni-network',
      type: 'twinlane',
      namespaceIsolation: true,
      globalNamespaces: 'default,storage',
      confDir: '/etc/cni/multus/net.d',
      binDir: '/opt/multus/bin',
      kubeconfig: '/etc/cni/net.d/multus.d/multus.kubeconfig',
      readinessindicatorfile: '/run/ready',
      logToStderr: false,
      logLevel: 'verbose',
      logFile: '/var/log/multus.log',
      delegates: [{ cniVersion: '0.4.0', name: 'other', type: 'bridge' }],
    })
    expect((await readdir(folder)).sort()).toEqual(['00-multus.conf', '10-calico.conflist', '20-other.conf.old'])
  })

  test('copies a file that is named', async () => {
    const mine = { cniVersion: '0.3.1', name: 'm', type: 'multus', delegates: [calico] }
    await put('mine.json', mine)
    const target = await mkdtemp(join(folder, 'target-'))
    expect((await config('--cni-conf-dir', target, '--multus-conf-file', join(folder, 'mine.json'))).code).toBe(0)
    expect(JSON.parse(await readFile(join(target, 'mine.json'), 'utf8'))).toEqual(mine)
  })
})

describe('twinlane cni config fails, and writes nothing,', () => {
  const cases: [string, Record<string, unknown>, string[], number, string][] = [
    ['without a default network', {}, [], 1, 'has no configuration of a default network'],
    ['with an empty one', { '10-a.conf': '', '20-b.conf': calico }, [], 1, '10-a.conf: cannot be used as the default'],
    ['with a broken one', { '10-a.conf': '{"name":' }, [], 1, '10-a.conf'],
    ['with a missing one', {}, ['--multus-master-cni-file-name=x.conf'], 1, 'x.conf'],
    ['with a version that does not exist', { '10-a.conf': calico }, ['--cni-version=9'], 2, 'no CNI version 9'],
    ['with a wrong word for a flag', { '10-a.conf': calico }, ['--namespace-isolation=yes'], 2, '"yes" is neither'],
    ['with a broken file to copy', { 'x.txt': 'x' }, ['--multus-conf-file=x.txt'], 1, 'x.txt cannot be used'],
  ]
  test.each(cases)('%s', async (_, files, flags, code, message) => {
    for (const [name, content] of Object.entries(files)) await put(name, content)
    const before = await readdir(folder)
    const outcome = await config(...flags)
    expect(outcome.err).toContain(message)
    expect(outcome.code).toBe(code)
    expect(await readdir(folder)).toEqual(before)
  })
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { runCli } from '../main.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lint-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function lint(text: string, flags = ''): Promise<{ code: number; out: string; err: string }> {
  await writeFile(join(folder, 'f.yaml'), text)
  return await twinlane(`lint -f f.yaml ${flags}`.trim())
}

async function twinlane(line: string, cwd = folder): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const argv = line.split(' ')
  const streams = { stdin: stdin as never, stdout: stdout as never, stderr: stderr as never }
  const code = await runCli({ argv, env: {}, cwd, ...streams })
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '')
  return { code, out: read(stdout), err: read(stderr) }
}

function definition(name: string, config: string, namespace = 'default'): string {
  const body = config.replaceAll('\n', '\n    ')
  return `apiVersion: k8s.cni.cncf.io/v1\nkind: NetworkAttachmentDefinition\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec:\n  config: |\n    ${body}\n---\n`
}

function pod(networks: string): string {
  const body = networks.replaceAll('\n', '\n      ')
  return `apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  annotations:\n    k8s.v1.cni.cncf.io/networks: |\n      ${body}\nspec: {containers: []}\n`
}

const bridge = '{"cniVersion": "1.0.0", "type": "bridge", "ipam": {"type": "host-local", "subnet": "10.1.0.0/24"}}'

/** A layer2 network of OVN whose configuration says that it is in this definition. */
const flat = (nad: string): string =>
  `{"cniVersion": "1.0.0", "name": "flat", "type": "ovn-k8s-cni-overlay", "topology": "layer2", "subnets": "10.1.0.0/24", "netAttachDefName": "default/${nad}"}`

describe('lint', () => {
  test('takes two definitions of one network of OVN for what they are, and a gateway of layer2 for that of all nodes', async () => {
    const pods = pod('[{"name": "net", "default-route": ["10.1.0.254"]}]')
    expect(await lint(definition('net', flat('net')) + definition('too', flat('too')) + pods)).toEqual({
      code: 0,
      out: '',
      err: '',
    })
  })

  test('finds nothing in what is right, and ends with 0', async () => {
    expect(await lint(definition('net', bridge) + pod('net@eth1'))).toEqual({ code: 0, out: '', err: '' })
  })

  test.each<[string, string, RegExp]>([
    [
      'a comma too many',
      definition('net', '{\n  "type": "bridge",,\n}'),
      /^f\.yaml:7:24: error: .*two ",".*\[config-syntax\]/,
    ],
    [
      'a type that is nearly known',
      definition('net', '{"cniVersion": "1.0.0", "type": "brige"}'),
      /warning: CNI type "brige".*\[unknown-type\]/,
    ],
    ['no configuration', definition('net', ''), /warning: has no spec\.config/],
    [
      'a field of our own networks',
      definition('net', '{"type": "calico", "mtu": "big"}'),
      /^f\.yaml:6:31: error: plugins\[0\].mtu.*number, received string \[config\]/,
    ],
    [
      'one name for two networks',
      definition('a', bridge.replace('{', '{"name": "x",')) + definition('b', '{"name": "x", "type": "ptp"}'),
      /warning: network name "x" is also that of default\/b/,
    ],
    [
      'a network that is in no file',
      pod('none'),
      /warning: NetworkAttachmentDefinition default\/none is not among the files \[unknown-network\]/,
    ],
    [
      'a network of another namespace',
      definition('net', bridge, 'other') + pod('net'),
      /error: .*default\/net, but one exists in namespace other/,
    ],
    [
      'a name that is too long',
      definition('net', bridge) + pod('net@averylonginterface'),
      /:14:7: error: .*18 bytes; Linux allows 15/,
    ],
    [
      'an unknown key',
      definition('net', bridge) + pod('[\n  {"name": "net", "ipRequest": "x"}\n]'),
      /^f\.yaml:15:38: warning: unknown key "ipRequest".*\[unknown-key\]/,
    ],
    [
      'a request that no plugin declares',
      definition('net', bridge) + pod('[{"name": "net", "mac": "0a:00:00:00:00:01"}]'),
      /error: .*"mac", which no plugin of it declares/,
    ],
    [
      'a configuration of OVN in another definition than it says',
      definition('net', flat('other')),
      /error: the configuration says that it is that of default\/other, but it is in default\/net.*\[config-place\]/,
    ],
    [
      "an address outside a secondary network's subnet",
      definition('net', flat('net')) + pod('[{"name": "net", "ips": ["10.2.0.1/24"]}]'),
      /warning: address 10\.2\.0\.1 is not in the network's subnet 10\.1\.0\.0\/24/,
    ],
    [
      'a gateway outside the subnet',
      definition('net', bridge) + pod('[{"name": "net", "default-route": ["10.2.0.1"]}]'),
      /:14:42: warning: gateway 10\.2\.0\.1 is not in the network's subnet/,
    ],
  ])('finds %s', async (_, text, expected) => {
    const { out } = await lint(text)
    expect(
      out.split('\n').find((line) => expected.test(line)),
      out,
    ).toBeDefined()
  })

  test("finds the article's comments and its gateway of one node", async () => {
    const examples = join(import.meta.dirname, '../../../examples/article')
    const { code, out } = await twinlane('lint -f busybox3.yaml -f yusur-ovn.yaml', examples)
    expect(code).toBe(0)
    expect(out).toMatch(/^busybox3\.yaml:8:28: warning: a "#" comment.*\[json-comment\]/m)
    expect(out).toContain('busybox3.yaml:10:25: warning: gateway 10.144.0.1 is pinned')
  })

  test('ends with 1 for errors, with --strict for warnings too, and with 2 for what cannot be read', async () => {
    const warned = pod('none')
    expect((await lint(warned)).code).toBe(0)
    expect((await lint(warned, '--strict')).code).toBe(1)
    expect((await lint(pod('a@lo'))).code).toBe(1)
    expect((await lint('a: [')).code).toBe(2)
    expect((await twinlane('lint -f none.yaml')).code).toBe(2)
    expect((await twinlane('lint')).code).toBe(2)
    expect((await lint(warned, '-o xml')).code).toBe(2)
  })

  test('refuses networks of other namespaces when it is told that they are isolated', async () => {
    const text = definition('net', bridge, 'other') + pod('other/net')
    expect((await lint(text)).code).toBe(0)
    expect((await lint(text, '--global-namespaces default')).out).toContain(
      'may not use NetworkAttachmentDefinition other/net',
    )
  })

  test('writes JSON for programs', async () => {
    const { out } = await lint(pod('none'), '-o json')
    expect(JSON.parse(out)).toEqual([
      expect.objectContaining({ rule: 'unknown-network', severity: 'warning', source: 'f.yaml', line: 7, column: 7 }),
    ])
  })
})

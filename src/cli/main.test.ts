import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApiServer, type TestApiServer } from '../../test/support/api-server.ts'
import { type ClosableKubeClient, createKubeClient } from '../kube/client.ts'
import { loadKubeConfig } from '../kube/kubeconfig.ts'
import { configMaps, nodes } from '../kube/resources/core.ts'
import { installResources } from '../lab/install-resources.ts'
import { runCli } from './main.ts'

let server: TestApiServer
let client: ClosableKubeClient
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinlane-cli-'))
  server = await startTestApiServer()
  client = createKubeClient(await loadKubeConfig(server.kubeconfig))
  await installResources(client)
  await client.create(nodes, {
    metadata: { name: 'master01', annotations: { 'projectcalico.org/IPv4Address': '192.168.100.10/24' } },
  })
}, 30_000)
afterAll(async () => {
  await client?.close()
  await server?.stop()
  await rm(folder, { recursive: true })
})

interface Outcome {
  code: number
  out: string
  err: string
}

/** Runs a line as the shell would; words are split at blanks. */
async function twinlane(line: string, input?: string): Promise<Outcome> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end(input)
  const argv = line.split(' ')
  const code = await runCli({
    argv,
    env: { KUBECONFIG: server.kubeconfig },
    cwd: folder,
    stdin: stdin as never,
    stdout: stdout as never,
    stderr: stderr as never,
  })
  const read = (stream: PassThrough): string => String((stream.read() as Buffer | null) ?? '')
  return { code, out: read(stdout), err: read(stderr) }
}

const bgpConfiguration = (spec: string): string =>
  `apiVersion: projectcalico.org/v3\nkind: BGPConfiguration\nmetadata: {name: default}\nspec: ${spec}\n`

/** The node of the article's master01.yaml: of another day and another cluster. */
const articleNode = `apiVersion: projectcalico.org/v3
kind: Node
metadata:
  annotations:
    projectcalico.org/kube-labels: '{"route-reflector":"true"}'
  labels: {route-reflector: "true"}
  name: master01
  resourceVersion: "3402273"
  uid: 60f03e30-b16f-44d7-92c4-97fcbc1c98a5
spec:
  bgp:
    asNumber: 63400 # 增加as 信息
    ipv4Address: 192.168.100.10/24
    routeReflectorClusterID: 192.168.100.10
`

describe('twinlane', () => {
  test('apply says of a Kubernetes object what kubectl says: created, configured, unchanged', async () => {
    const configMap = (value: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {a: "${value}"}\n`
    expect((await twinlane('apply -f -', configMap('1'))).out).toBe('configmap/applied created\n')
    expect((await twinlane('apply -f -', configMap('1'))).out).toBe('configmap/applied unchanged\n')
    expect((await twinlane('apply -f -', configMap('2'))).out).toBe('configmap/applied configured\n')
    expect((await client.get(configMaps, 'applied', 'default')).data).toEqual({ a: '2' })
  })

  test("apply says of Calico's kinds what calicoctl says", async () => {
    const applied = await twinlane('apply -f -', bgpConfiguration('{nodeToNodeMeshEnabled: false, asNumber: 63400}'))
    expect(applied).toEqual({ code: 0, out: "Successfully applied 1 'BGPConfiguration' resource(s)\n", err: '' })
    expect((await twinlane('get bgpconfig')).out).toBe(
      'NAME      LOGSEVERITY   MESHENABLED   ASNUMBER\ndefault                 false         63400\n',
    )
  })

  test("the article's master01.yaml makes a route reflector, twice, in spite of its resourceVersion", async () => {
    for (let time = 0; time < 2; time++) {
      const { out } = await twinlane('apply -f -', articleNode)
      expect(out).toBe("Successfully applied 1 'Node' resource(s)\n")
    }
    expect((await client.get(nodes, 'master01')).metadata).toMatchObject({
      labels: { 'route-reflector': 'true' },
      annotations: {
        'projectcalico.org/ASNumber': '63400',
        'projectcalico.org/IPv4Address': '192.168.100.10/24',
        'projectcalico.org/RouteReflectorClusterID': '192.168.100.10',
      },
    })
    expect((await twinlane('get nodes -o wide')).out).toBe(
      'NAME       ASN     IPV4                IPV6\nmaster01   63400   192.168.100.10/24\n',
    )
    const replaced = await twinlane('replace -f -', articleNode)
    expect(replaced.code).toBe(1)
    expect(replaced.err).toContain('error: update conflict: Node(master01)')
    expect(replaced.err).toContain('fix: take resourceVersion out of the file')
  })

  test('what get prints of a Node can be applied', async () => {
    const { out } = await twinlane('get node master01 -o yaml')
    expect(out).toContain('apiVersion: projectcalico.org/v3\nkind: Node\n')
    expect(out).toMatch(/creationTimestamp: "\d{4}-/)
    expect((await twinlane('apply -f -', out)).code).toBe(0)
  })

  test('a folder is applied whole, and what is no Kubernetes object in it is named and skipped', async () => {
    await writeFile(join(folder, 'lab.yaml'), 'name: article\n')
    await writeFile(join(folder, 'one.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n')
    const { out, err } = await twinlane(`apply -f ${folder}`)
    expect(out).toBe('configmap/one created\n')
    expect(err).toContain('lab.yaml: holds no Kubernetes object, skipped')
  })

  test('an IPPool that does not go with the others is refused with its line, before it is sent', async () => {
    const pool = (name: string, spec: string): string =>
      `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: ${name}}\nspec:\n  ${spec.replaceAll('; ', '\n  ')}\n`
    expect((await twinlane('create -f -', pool('first', 'cidr: 10.7.0.0/16; blockSize: 24'))).code).toBe(0)
    const overlap = await twinlane('apply -f -', pool('second', 'natOutgoing: true; cidr: 10.7.8.0/24'))
    expect(overlap).toMatchObject({ code: 1, out: '' })
    expect(overlap.err).toContain('line 6: spec.cidr: 10.7.8.0/24 overlaps 10.7.0.0/16 of IPPool first')
    const change = await twinlane('apply -f -', pool('first', 'cidr: 10.7.0.0/16; blockSize: 26'))
    expect(change.err).toContain('spec.blockSize: is 24 and cannot be changed')
    expect((await twinlane('apply -f -', pool('first', 'cidr: 10.7.0.0/16; natOutgoing: true'))).code).toBe(0)
    const patched = await twinlane('patch ippool first -p {"spec":{"nodeSelector":"rack=a"}}')
    expect(patched).toMatchObject({ code: 1, err: expect.stringContaining('IPPool first: spec.nodeSelector') })
  })

  test("the article's pod is sent as kubectl sends it", async () => {
    const text = readFileSync(new URL('../../examples/article/busybox3.yaml', import.meta.url), 'utf8')
    expect(await twinlane('apply -f -', text)).toEqual({ code: 0, out: 'pod/busybox3 created\n', err: '' })
    const { out } = await twinlane('get pod busybox3 -o jsonpath={.metadata.annotations}')
    expect(JSON.parse(out)).toHaveProperty(
      ['k8s.v1.cni.cncf.io/networks'],
      expect.stringMatching(/^\[\{ "name": "yusur-ovn", #/),
    )
  })

  test('one bad document does not keep the others from being applied, and the exit code tells', async () => {
    const good = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n'
    const bad = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n'
    const { code, out, err } = await twinlane('apply -f -', `${bad}---\n${good}`)
    expect(code).toBe(1)
    expect(out).toBe('configmap/good created\n')
    expect(err).toMatch(/^error: .*Bad_Name/)
  })

  test('an unknown field and an unknown kind are refused with their lines', async () => {
    const { err } = await twinlane('apply -f -', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndat: {}\n')
    expect(err).toMatch(/standard input \(ConfigMap x\), line 4: dat: .*unknown field "dat"/)
    const wrongVersion = await twinlane(
      'apply -f -',
      'apiVersion: projectcalico.org/v1\nkind: IPPool\nmetadata: {name: x}\n',
    )
    expect(wrongVersion.err).toContain('line 2: kind: the server has no kind "IPPool" in projectcalico.org/v1')
    expect(wrongVersion.err).toContain('fix: write projectcalico.org/v3 IPPool')
  })

  test('label sets, keeps and removes, and overwrites only when told to', async () => {
    expect((await twinlane('label node master01 tier=a')).out).toBe('node/master01 labeled\n')
    expect((await twinlane('label node master01 tier=a')).out).toBe('node/master01 not labeled\n')
    const refused = await twinlane('label node master01 tier=b')
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("'tier' already has a value (a)") })
    expect((await twinlane('label node master01 tier=b --overwrite')).out).toBe('node/master01 labeled\n')
    expect((await twinlane('label node/master01 tier-')).out).toBe('node/master01 unlabeled\n')
  })

  test("patch of a node changes Calico's view", async () => {
    const line = 'patch node master01 -p {"spec":{"bgp":{"routeReflectorClusterID":"10.0.0.1"}}}'
    expect((await twinlane(line)).out).toBe("Successfully patched 1 'Node' resource\n")
    const { annotations } = (await client.get(nodes, 'master01')).metadata
    expect(annotations?.['projectcalico.org/RouteReflectorClusterID']).toBe('10.0.0.1')
    expect(annotations?.['projectcalico.org/IPv4Address']).toBe('192.168.100.10/24')
  })

  test('delete waits until the object is gone', async () => {
    await client.create(configMaps, { metadata: { name: 'held', namespace: 'default', finalizers: ['test/x'] } })
    const late = await twinlane('delete configmap held --timeout 200ms')
    expect(late.err).toContain('waiting for configmap/held to be gone: held by finalizers test/x')
    await client.create(configMaps, { metadata: { name: 'ending', namespace: 'default', finalizers: ['test/x'] } })
    const deleting = twinlane('delete configmap ending')
    for await (const { object } of client.watch(configMaps, { fieldSelector: 'metadata.name=ending' })) {
      if (object.metadata.deletionTimestamp !== undefined) break
    }
    const body = { metadata: { finalizers: null } }
    await client.patch(configMaps, 'ending', { type: 'merge', body }, { namespace: 'default' })
    expect(await deleting).toEqual({ code: 0, out: 'configmap "ending" deleted\n', err: '' })
    expect((await twinlane('delete cm ending')).code).toBe(1)
    expect(await twinlane('delete cm ending --ignore-not-found')).toEqual({ code: 0, out: '', err: '' })
  })

  test('wait ends when the value is there, and says at the deadline what there was', async () => {
    await client.create(configMaps, { metadata: { name: 'waited', namespace: 'default' }, data: { state: 'new' } })
    const late = await twinlane('wait cm/waited --for=jsonpath={.data.state}=ready --timeout=200ms')
    expect(late.err).toContain('waiting for configmap/waited to have {.data.state} = ready: {.data.state} is new')
    const waiting = twinlane('wait cm/waited --for=jsonpath={.data.state}=ready --timeout=10s')
    await client.patch(
      configMaps,
      'waited',
      { type: 'merge', body: { data: { state: 'ready' } } },
      { namespace: 'default' },
    )
    expect((await waiting).out).toBe('configmap/waited condition met\n')
  })

  test('get names what is not there', async () => {
    expect(await twinlane('get secrets')).toEqual({
      code: 0,
      out: '',
      err: 'No resources found in default namespace.\n',
    })
    expect((await twinlane('get pod nobody')).err).toContain('pods "nobody" not found')
    expect(await twinlane('get ippol')).toMatchObject({
      code: 2,
      err: expect.stringContaining('did you mean "ippool"?'),
    })
  })

  test('flags may stand before the command', async () => {
    expect((await twinlane('-n kube-system get secrets')).err).toBe('No resources found in kube-system namespace.\n')
  })

  test('a wrong command line is exit code 2, help is 0', async () => {
    expect((await twinlane('frob')).code).toBe(2)
    expect((await twinlane('get')).code).toBe(2)
    expect((await twinlane('get pods -o frob')).code).toBe(2)
    const help = await twinlane('help get')
    expect(help.code).toBe(0)
    expect(help.out).toContain('--all-namespaces')
  })

  test('a server that is away is one line with its address', async () => {
    const { err, code } = await twinlane('get pods --kubeconfig gone')
    expect({ err, code }).toEqual({ err: `error: kubeconfig ${join(folder, 'gone')} does not exist\n`, code: 1 })
  })
})

describe('files without a cluster', () => {
  const pool = (spec: string): string =>
    `apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: main}\nspec: ${spec}\n`

  test('are valid, or the field is named with its place', async () => {
    expect(await twinlane('validate -f -', pool('{cidr: 10.1.0.0/16}'))).toMatchObject({
      code: 0,
      out: "Successfully validated 1 'IPPool' resource(s)\n",
    })
    const wrong = await twinlane('validate -f -', pool('{cidr: 10.1.0.0/16, blockSize: 10}'))
    expect(wrong).toMatchObject({ code: 1, err: expect.stringMatching(/line 4: spec.blockSize/) })
  })

  test('of an older version are refused with the command that converts them, which does', async () => {
    const old = 'apiVersion: v1\nkind: ipPool\nmetadata: {cidr: 10.1.0.0/16}\n'
    const refused = await twinlane('validate -f -', old)
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('twinlane convert -f FILE') })
    const { code, out } = await twinlane('convert -f -', old)
    expect(code).toBe(0)
    expect((await twinlane('validate -f -', out)).code).toBe(0)
  })
})

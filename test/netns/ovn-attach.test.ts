import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog, silentLog } from '../../src/base/log.ts'
import { type Changing, waitFor } from '../../src/base/observable.ts'
import type { CniResult } from '../../src/cni/result.ts'
import type { Informer } from '../../src/kube/api.ts'
import { createFakeKube, type FakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import {
  type EndpointSliceResource,
  endpointSlices,
  type NodeResource,
  nodes as nodeType,
  type PodResource,
  pods as podType,
  services,
} from '../../src/kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../src/kube/resources/net-attach-def.ts'
import type { AttachRequest, NodeSide } from '../../src/networks/driver.ts'
import { type OvnConfig, parseOvnConfig, parseOvnSettings } from '../../src/networks/ovn/config.ts'
import { ovnDriver } from '../../src/networks/ovn/driver.ts'
import { ip, makeNetns, removeNetns } from '../support/netns.ts'
import { makeFabric, type TestFabric, type TestNode } from '../support/ovn.ts'

const encapType = process.env.OVN_TEST_ENCAP === 'geneve' ? 'geneve' : 'vxlan'
const logFile = process.env.OVN_TEST_LOG
const log =
  logFile === undefined
    ? silentLog
    : createLog({ name: 'test', level: 'debug', destination: { write: (line) => appendFileSync(logFile, line) } })
const stop = new AbortController()
const podNetns: string[] = []
const config = {
  cniVersion: '0.4.0',
  name: 'ovn-kubernetes',
  type: 'ovn-k8s-cni-overlay',
  ipam: {},
  dns: {},
  logFile: '/var/log/ovn-kubernetes/ovn-k8s-cni-overlay.log',
  logLevel: '5',
}
const configList = { cniVersion: '0.4.0', name: config.name, plugins: [config] }

let fabric: TestFabric
let kube: FakeKube
let cluster: ReturnType<NonNullable<typeof ovnDriver.clusterSide>>
let pods: Informer<PodResource>
let nodeInformer: Informer<NodeResource>
const sides = new Map<string, NodeSide<OvnConfig>>()
const events: string[] = []

beforeAll(async () => {
  fabric = await makeFabric()
  kube = createFakeKube()
  for (const { name, management } of fabric.nodes) {
    const status = { addresses: [{ type: 'InternalIP', address: management }] }
    kube.seed(nodeType, { metadata: { name }, status } as NodeResource)
  }
  kube.seed(networkAttachmentDefinitions, {
    metadata: { name: 'yusur-ovn', namespace: 'default' },
    spec: { config: JSON.stringify(config) },
  })
  pods = createInformer(kube, podType, { log })
  nodeInformer = createInformer(kube, nodeType, { log })
  await Promise.all([pods.start(stop.signal), nodeInformer.start(stop.signal)])
  await startCluster()
  for (const node of fabric.nodes) await startNode(node)
}, 60_000)

afterAll(async () => {
  for (const side of sides.values()) await side.stop()
  await cluster.stop()
  stop.abort()
  for (const netns of podNetns) await removeNetns(netns)
  await fabric.close()
}, 60_000)

function settings() {
  return parseOvnSettings({
    netCidr: '10.144.0.0/16',
    svcCidr: '10.96.0.0/16',
    gatewayInterface: 'ens3',
    gatewayNextHop: '192.168.200.1',
    multicastEnabled: true,
    disableSnatMultipleGateways: true,
    disablePacketMtuCheck: true,
    encapType,
    northbound: fabric.northbound,
    southbound: fabric.southbound,
  })
}

const recorder = {
  event: (_about: object, _type: string, reason: string, message: string) => void events.push(`${reason}: ${message}`),
}

async function startCluster(): Promise<void> {
  cluster = ovnDriver.clusterSide!(settings(), { kube, log, events: recorder, pods, nodes: nodeInformer })
  await cluster.start(stop.signal)
}

async function startNode(node: TestNode): Promise<void> {
  const stateFolder = join(node.folder, 'state')
  await mkdir(stateFolder, { recursive: true })
  const side = ovnDriver.nodeSide(settings(), {
    nodeName: node.name,
    kube,
    kernel: node.kernel,
    log,
    events: recorder,
    pods,
    nodes: nodeInformer,
    paths: {
      stateFolder,
      runFolder: node.folder,
      birdSocket: '',
      birdConfigFile: '',
      ovsdbSocket: join(node.folder, 'db.sock'),
      cniBinFolders: [],
    },
  })
  sides.set(node.name, side)
  await side.start(stop.signal)
}

interface TestPod {
  readonly name: string
  readonly netns: string
  readonly request: AttachRequest<OvnConfig>
  readonly result: CniResult
  readonly address: string
}

let containers = 0

async function createPod(name: string, node: string, annotation = defaultAnnotation): Promise<PodResource> {
  return await kube.create(podType, {
    metadata: { name, namespace: 'default', annotations: { 'k8s.v1.cni.cncf.io/networks': annotation } },
    spec: { nodeName: node, containers: [] },
  } as PodResource)
}

const defaultAnnotation = '[{"name": "yusur-ovn", "interface": "eth1", "default-route": ["10.144.0.1"]}]'

async function runPod(name: string, node: string): Promise<TestPod> {
  const pod = await createPod(name, node)
  const netns = await makeNetns()
  podNetns.push(netns)
  await ip(netns, 'link', 'set', 'lo', 'up')
  const request: AttachRequest<OvnConfig> = {
    containerId: (0xabc000 + ++containers).toString(16).padEnd(64, '0'),
    ifName: 'eth1',
    pod: { namespace: 'default', name, uid: pod.metadata.uid ?? '' },
    netns,
    config: parseOvnConfig(configList),
    configList,
    networkName: 'default/yusur-ovn',
    args: {},
    isDefault: false,
    requested: {},
  }
  const result = await sides.get(node)!.attach(request, stop.signal)
  // The meta-plugin's part.
  await ip(netns, 'route', 'add', 'default', 'via', result.ips[0]!.gateway!, 'dev', 'eth1')
  return { name, netns, request, result, address: result.ips[0]!.address.split('/')[0]! }
}

/** Never blocks this process, in which controller and agents run. */
async function inPod(pod: { netns: string }, ...command: string[]): Promise<string> {
  return (await promisify(execFile)('nsenter', [`--net=${pod.netns}`, ...command])).stdout
}

/** Tunnels and neighbours are looked up at the first packet, so the first answer may be late. */
async function canPing(from: { netns: string }, to: string, seconds = 5): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    try {
      await inPod(from, 'busybox', 'ping', '-q', '-c', '1', '-W', '1', to)
      return true
    } catch {}
  }
  return false
}

/** What ping says of 5 packets over a path that is warm. */
async function pingFive(from: { netns: string }, to: string): Promise<string> {
  try {
    return await inPod(from, 'busybox', 'ping', '-q', '-c', '5', '-i', '0.05', '-w', '3', to)
  } catch (error) {
    return String((error as { stdout: string }).stdout)
  }
}

/** Sends 1 MB by TCP and returns the peer's address as the server sees it. */
async function sendMegabyte(
  from: { netns: string },
  server: { netns: string },
  to: string,
  port = 5201,
): Promise<string> {
  const listening = spawn('nsenter', [`--net=${server.netns}`, 'iperf3', '-s', '-1', '-J', '-p', '5201'])
  let output = ''
  listening.stdout.on('data', (chunk) => {
    output += String(chunk)
  })
  const ended = once(listening, 'close')
  await listens(server, 5201)
  await inPod(from, 'iperf3', '-c', to, '-p', String(port), '-n', '1M', '--connect-timeout', '3000')
  await ended
  const report = JSON.parse(output) as { start: { connected: { remote_host: string }[] } }
  return report.start.connected[0]!.remote_host
}

async function listens(server: { netns: string }, port: number): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  for (let n = 0; n < 300; n++) {
    if (new RegExp(`:${hex} [0-9A-F:]+ 0A`).test(await inPod(server, 'cat', '/proc/net/tcp', '/proc/net/tcp6'))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`nothing listens on ${port}`)
}

function vsctl(node: TestNode, ...args: string[]): string {
  return execFileSync('ovs-vsctl', [`--db=unix:${node.folder}/db.sock`, '--timeout=10', ...args], {
    encoding: 'utf8',
  }).trim()
}

function nbctl(...args: string[]): string {
  return execFileSync('ovn-nbctl', [`--db=unix:${fabric.folder}/nb.sock`, ...args], { encoding: 'utf8' }).trim()
}

const soon = { timeoutMs: 10_000 }
const until = <T>(source: Changing, what: string, look: () => T | undefined): Promise<T> =>
  waitFor(source, look, { what, ...soon })

async function ready(): Promise<void> {
  for (const node of fabric.nodes) {
    await until(
      nodeInformer,
      `${node.name} to be annotated`,
      () => nodeInformer.get(node.name)?.metadata.annotations?.['k8s.ovn.org/l3-gateway-config'],
    )
  }
}

let a: TestPod
let a2: TestPod
let b: TestPod

describe('pods on the cluster network', () => {
  test('come up as in the article', async () => {
    await ready()
    a = await runPod('a', 'n1')
    b = await runPod('b', 'n2')
    a2 = await runPod('a2', 'n1')
    expect(a.result.ips).toEqual([{ address: '10.144.0.3/24', gateway: '10.144.0.1', interface: 1 }])
    expect(await ip(a.netns, 'addr', 'show', 'eth1')).toMatch(
      /mtu 1400[\s\S]*link\/ether 0a:58:0a:90:00:03[\s\S]*inet 10.144.0.3\/24 brd 10.144.0.255/,
    )
    expect((await ip(a.netns, 'route')).split('\n').map((line) => line.trim())).toEqual([
      'default via 10.144.0.1 dev eth1',
      '10.96.0.0/16 via 10.144.0.1 dev eth1',
      '10.144.0.0/24 dev eth1 proto kernel scope link src 10.144.0.3',
      '10.144.0.0/16 via 10.144.0.1 dev eth1',
      '',
    ])
  })

  test('reach each other on one node and across nodes, with each packet delivered once', async () => {
    for (const target of [a2, b]) {
      expect(await canPing(a, target.address)).toBe(true)
      expect(await pingFive(a, target.address)).toMatch(/5 packets transmitted, 5 packets received, 0% packet loss/)
      expect(await sendMegabyte(a, target, target.address)).toBe('10.144.0.3')
    }
  })

  test('are reached from their own host and from the other', async () => {
    for (const node of fabric.nodes) {
      expect(await canPing(node, a.address)).toBe(true)
      expect(await pingFive(node, b.address)).toMatch(/ 0% packet loss/)
    }
  })

  test('leave by the gateway interface although the default route of the host is elsewhere', async () => {
    expect(await canPing(a, '203.0.113.1')).toBe(true)
    expect(await pingFive(a, '203.0.113.1')).toMatch(/5 packets transmitted, 5 packets received, 0% packet loss/)
    expect(await sendMegabyte(a, { netns: fabric.fabric }, '203.0.113.1')).toBe('192.168.200.11')
  })

  test('reach a service, local and remote backends and themselves', async () => {
    kube.seed(services, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports: [{ port: 80, protocol: 'TCP' }] },
    } as never)
    for (const backend of [b, a2, a]) {
      await setBackend(backend)
      await sendMegabyte(a, backend, '10.96.0.10', 80)
    }
    await setBackend(b)
    await sendMegabyte(fabric.nodes[0]!, b, '10.96.0.10', 80)
    expect(nbctl('--bare', '--columns=name', 'find', 'Load_Balancer')).toBe('Service_default/web_TCP_cluster')
  })

  test('give nothing to pods that did not ask', async () => {
    const silent = await createPod('silent', 'n1', '')
    await runPod('asked', 'n1')
    expect(pods.get('silent', 'default')?.metadata.annotations).toEqual(silent.metadata.annotations)
    expect(nbctl('lsp-list', 'n1')).not.toMatch(/silent/)
  })

  test('get the address that they ask for, or a warning that says why not', async () => {
    const asking = (address: string): string => `[{"name": "yusur-ovn", "interface": "eth1", "ips": ["${address}/24"]}]`
    await createPod('static', 'n1', asking('10.144.0.200'))
    await until(pods, 'the address', () => annotationOf('static')?.includes('"10.144.0.200/24"') || undefined)
    expect(JSON.parse(annotationOf('static') ?? '')).toEqual({
      default: {
        ip_addresses: ['10.144.0.200/24'],
        mac_address: '0a:58:0a:90:00:c8',
        gateway_ips: ['10.144.0.1'],
        routes: [
          { dest: '10.144.0.0/16', nextHop: '10.144.0.1' },
          { dest: '10.96.0.0/16', nextHop: '10.144.0.1' },
        ],
        ip_address: '10.144.0.200/24',
        gateway_ip: '10.144.0.1',
        role: 'primary',
      },
    })
    await createPod('taken', 'n1', asking('10.144.0.200'))
    await createPod('elsewhere', 'n1', asking('10.144.1.200'))
    await eventually(() => events.length >= 2)
    expect(events[0]).toMatch(/10.144.0.200 is in use by default\/static/)
    expect(events[1]).toMatch(/10.144.1.200 is not in the node's subnet 10.144.0.0\/24/)
    await kube.delete(podType, 'static', { namespace: 'default' })
    await until(pods, 'the released address', () => annotationOf('taken')?.includes('"10.144.0.200/24"') || undefined)
  })
})

describe('the databases', () => {
  test('have the shape that people who know OVN-Kubernetes expect', () => {
    expect(vsctl(fabric.nodes[0]!, 'list-ports', 'brens3').split('\n').sort()).toEqual([
      'ens3',
      'patch-brens3_n1-to-br-int',
    ])
    expect(vsctl(fabric.nodes[0]!, 'list-ports', 'br-int')).toMatch(/ovn-k8s-mp0[\s\S]*patch-br-int-to-brens3_n1/)
    expect(
      vsctl(fabric.nodes[0]!, '--bare', '--columns=type,options', 'find', 'Interface', `type=${encapType}`),
    ).toMatch(/remote_ip=192.168.200.12/)
    expect(nbctl('lr-list')).toMatch(/GR_n1[\s\S]*GR_n2[\s\S]*ovn_cluster_router/)
    expect(nbctl('lr-nat-list', 'GR_n1')).toMatch(/snat\s+192.168.200.11\s+10.144.0.3$/m)
    expect(nbctl('lr-nat-list', 'GR_n1')).not.toMatch(/10.144.0.0\/16/)
    expect(nbctl('lsp-get-port-security', 'default_a')).toBe('0a:58:0a:90:00:03 10.144.0.3')
  })

  test('are left alone when nothing has to be done', async () => {
    const before = everything()
    await cluster.stop()
    await startCluster()
    const late = await runPod('after-restart', 'n1')
    expect(await canPing(late, b.address)).toBe(true)
    await endPod(late)
    await until(pods, 'the pod to go', () => (pods.get('after-restart', 'default') === undefined ? true : undefined))
    await portGone('default_after-restart')
    expect(everything()).toBe(before)
  })
})

describe('a repeated ADD', () => {
  test('gives the same answer and harms nothing', async () => {
    const again = await sides.get('n1')!.attach(a.request, stop.signal)
    expect(again).toEqual(a.result)
    expect(await pingFive(a, b.address)).toMatch(/ 0% packet loss/)
    expect(await sides.get('n1')!.verify(a.request, a.result)).toEqual([])
  })
})

describe('the switch killed and started again', () => {
  test('has its gateway flows back, and pods go on', async () => {
    const [node] = fabric.nodes
    await fabric.restartSwitch(node!)
    expect(await canPing(a, b.address, 15)).toBe(true)
    expect(await canPing(a, '203.0.113.1', 15)).toBe(true)
    const flows = execFileSync('ovs-ofctl', ['dump-flows', `unix:${node!.folder}/brens3.mgmt`], { encoding: 'utf8' })
    expect(flows).toMatch(/priority=205/)
    expect(await pingFive(a, '203.0.113.1')).toMatch(/5 packets transmitted, 5 packets received, 0% packet loss/)
  }, 40_000)
})

describe('DEL', () => {
  test('removes port, pair and fence, without pod and netns, and twice', async () => {
    const side = sides.get('n1')!
    const gone = await runPod('gone', 'n1')
    await kube.delete(podType, 'gone', { namespace: 'default' })
    await removeNetns(gone.netns)
    await side.detach(gone.request, stop.signal)
    await side.detach(gone.request, stop.signal)
    await portGone('default_gone')
    const hostName = gone.request.containerId.slice(0, 15)
    expect(vsctl(fabric.nodes[0]!, 'list-ports', 'br-int')).not.toMatch(hostName)
    expect(await ip(fabric.nodes[0]!.netns, 'link')).not.toMatch(hostName)
    expect(await inPod(fabric.nodes[0]!, 'nft', 'list', 'ruleset')).not.toMatch(hostName)
  })

  test('of garbage removes what belongs to no valid attachment', async () => {
    const stray = await runPod('stray', 'n1')
    const valid = [a, a2].map(({ request }) => request)
    await sides.get('n1')!.collectGarbage(valid)
    const ports = vsctl(fabric.nodes[0]!, 'list-ports', 'br-int')
    expect(ports).not.toMatch(stray.request.containerId.slice(0, 15))
    expect(ports).toMatch(a.request.containerId.slice(0, 15))
    expect(await canPing(a, a2.address)).toBe(true)
  })
})

async function setBackend(pod: TestPod): Promise<void> {
  const slice = {
    metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ port: 5201, protocol: 'TCP' }],
    endpoints: [{ addresses: [pod.address], conditions: { ready: true } }],
  } as EndpointSliceResource
  const exists = (await kube.find(endpointSlices, 'web-1', 'default')) !== undefined
  await (exists ? kube.update(endpointSlices, slice) : kube.create(endpointSlices, slice))
  await eventually(() => nbctl('--bare', '--columns=vips', 'find', 'Load_Balancer').includes(pod.address))
  nbctl('--wait=hv', 'sync')
}

async function eventually(look: () => boolean): Promise<void> {
  for (let n = 0; n < 300 && !look(); n++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(look()).toBe(true)
}

async function endPod(pod: TestPod): Promise<void> {
  await kube.delete(podType, pod.name, { namespace: 'default' })
  await sides.get('n1')!.detach(pod.request, stop.signal)
}

function portGone(name: string): Promise<void> {
  return eventually(() => !nbctl('lsp-list', 'n1').includes(`(${name})`))
}

function annotationOf(name: string): string | undefined {
  return pods.get(name, 'default')?.metadata.annotations?.['k8s.ovn.org/pod-networks']
}

function everything(): string {
  const tables = [
    'Logical_Switch',
    'Logical_Router',
    'Logical_Router_Static_Route',
    'Load_Balancer',
    'Port_Group',
    'ACL',
  ]
  return nbctl(...tables.flatMap((table) => ['--', 'list', table]))
}

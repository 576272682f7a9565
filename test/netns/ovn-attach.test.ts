import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../src/base/observable.ts'
import { type EndpointSliceResource, endpointSlices, services } from '../../src/kube/resources/core.ts'
import { ip, removeNetns } from '../support/netns.ts'
import { encapType, eventually, OvnCluster, type TestPod } from '../support/ovn-cluster.ts'
import { canPing, inPod, pingFive, sendMegabyte } from '../support/pod-traffic.ts'

let cluster: OvnCluster

beforeAll(async () => {
  cluster = await OvnCluster.start()
}, 60_000)

afterAll(async () => {
  await cluster.close()
}, 60_000)

let a: TestPod
let a2: TestPod
let b: TestPod

describe('pods on the cluster network', () => {
  test('come up as in the article', async () => {
    a = await cluster.runPod('a', 'n1')
    b = await cluster.runPod('b', 'n2')
    a2 = await cluster.runPod('a2', 'n1')
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
    for (const node of cluster.fabric.nodes) {
      expect(await canPing(node, a.address)).toBe(true)
      expect(await pingFive(node, b.address)).toMatch(/ 0% packet loss/)
    }
  })

  test('leave by the gateway interface although the default route of the host is elsewhere', async () => {
    expect(await canPing(a, '203.0.113.1')).toBe(true)
    expect(await pingFive(a, '203.0.113.1')).toMatch(/5 packets transmitted, 5 packets received, 0% packet loss/)
    expect(await sendMegabyte(a, { netns: cluster.fabric.fabric }, '203.0.113.1')).toBe('192.168.200.11')
  })

  test('reach a service, local and remote backends and themselves', async () => {
    cluster.kube.seed(services, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10'], ports: [{ port: 80, protocol: 'TCP' }] },
    } as never)
    for (const backend of [b, a2, a]) {
      await setBackend(backend)
      await sendMegabyte(a, backend, '10.96.0.10', 80)
    }
    await setBackend(b)
    await sendMegabyte(cluster.node('n1'), b, '10.96.0.10', 80)
    expect(cluster.nbctl('--bare', '--columns=name', 'find', 'Load_Balancer')).toBe('Service_default/web_TCP_cluster')
  })

  test('give nothing to pods that did not ask', async () => {
    const silent = await cluster.createPod('silent', 'n1', '')
    await cluster.runPod('asked', 'n1')
    expect(cluster.pods.get('silent', 'default')?.metadata.annotations).toEqual(silent.metadata.annotations)
    expect(cluster.nbctl('lsp-list', 'n1')).not.toMatch(/silent/)
  })

  test('get the address that they ask for, or a warning that says why not', async () => {
    const asking = (address: string): string => `[{"name": "yusur-ovn", "interface": "eth1", "ips": ["${address}/24"]}]`
    await cluster.createPod('static', 'n1', asking('10.144.0.200'))
    await until('the address', () => cluster.annotationOf('static')?.includes('"10.144.0.200/24"') || undefined)
    expect(JSON.parse(cluster.annotationOf('static') ?? '')).toEqual({
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
    await cluster.createPod('taken', 'n1', asking('10.144.0.200'))
    await cluster.createPod('elsewhere', 'n1', asking('10.144.1.200'))
    await eventually(() => cluster.events.length >= 2)
    expect(cluster.events[0]).toMatch(/10.144.0.200 is in use by default\/static/)
    expect(cluster.events[1]).toMatch(/10.144.1.200 is not in the node's subnet 10.144.0.0\/24/)
    await cluster.deletePod('static')
    await until('the released address', () => cluster.annotationOf('taken')?.includes('"10.144.0.200/24"') || undefined)
  })
})

describe('the databases', () => {
  test('have the shape that people who know OVN-Kubernetes expect', () => {
    expect(cluster.vsctl('n1', 'list-ports', 'brens3').split('\n').sort()).toEqual([
      'ens3',
      'patch-brens3_n1-to-br-int',
    ])
    expect(cluster.vsctl('n1', 'list-ports', 'br-int')).toMatch(/ovn-k8s-mp0[\s\S]*patch-br-int-to-brens3_n1/)
    expect(cluster.vsctl('n1', '--bare', '--columns=type,options', 'find', 'Interface', `type=${encapType}`)).toMatch(
      /remote_ip=192.168.200.12/,
    )
    expect(cluster.nbctl('lr-list')).toMatch(/GR_n1[\s\S]*GR_n2[\s\S]*ovn_cluster_router/)
    expect(cluster.nbctl('lr-nat-list', 'GR_n1')).toMatch(/snat\s+192.168.200.11\s+10.144.0.3$/m)
    expect(cluster.nbctl('lr-nat-list', 'GR_n1')).not.toMatch(/10.144.0.0\/16/)
    expect(cluster.nbctl('lsp-get-port-security', 'default_a')).toBe('0a:58:0a:90:00:03 10.144.0.3')
  })

  test('are left alone when nothing has to be done', async () => {
    const before = everything()
    await cluster.stopController()
    await cluster.startController()
    const late = await cluster.runPod('after-restart', 'n1')
    expect(await canPing(late, b.address)).toBe(true)
    await endPod(late)
    await until('the pod to go', () => (cluster.pods.get('after-restart', 'default') === undefined ? true : undefined))
    await cluster.portGone('default_after-restart')
    expect(everything()).toBe(before)
  })
})

describe('a repeated ADD', () => {
  test('gives the same answer and harms nothing', async () => {
    const again = await cluster.attach('n1', a.request)
    expect(again).toEqual(a.result)
    expect(await pingFive(a, b.address)).toMatch(/ 0% packet loss/)
    expect(await cluster.side('n1').verify(a.request, a.result)).toEqual([])
  })
})

describe('a caller that does not tell the UID of the pod', () => {
  test('has it attached all the same', async () => {
    const request = await cluster.prepare(await cluster.createPod('nameless', 'n1'))
    const { uid: _, ...pod } = request.pod
    const result = await cluster.attach('n1', { ...request, pod: { ...pod, uid: '' } })
    expect(result.ips[0]?.address).toMatch(/^10\.144\.0\.\d+\/24$/)
    await cluster.deletePod('nameless')
    await cluster.detach('n1', request)
  })
})

describe('the switch killed and started again', () => {
  test('has its gateway flows back, and pods go on', async () => {
    const node = cluster.node('n1')
    await cluster.fabric.restartSwitch(node)
    expect(await canPing(a, b.address, 15)).toBe(true)
    expect(await canPing(a, '203.0.113.1', 15)).toBe(true)
    const flows = execFileSync('ovs-ofctl', ['dump-flows', `unix:${node.folder}/brens3.mgmt`], { encoding: 'utf8' })
    expect(flows).toMatch(/priority=205/)
    expect(await pingFive(a, '203.0.113.1')).toMatch(/5 packets transmitted, 5 packets received, 0% packet loss/)
  }, 40_000)
})

describe('DEL', () => {
  test('removes port, pair and fence, without pod and netns, and twice', async () => {
    const gone = await cluster.runPod('gone', 'n1')
    await cluster.deletePod('gone')
    await removeNetns(gone.netns)
    await cluster.detach('n1', gone.request)
    await cluster.detach('n1', gone.request)
    await cluster.portGone('default_gone')
    const hostName = gone.request.containerId.slice(0, 15)
    expect(cluster.vsctl('n1', 'list-ports', 'br-int')).not.toMatch(hostName)
    expect(await ip(cluster.node('n1').netns, 'link')).not.toMatch(hostName)
    expect(await inPod(cluster.node('n1'), 'nft', 'list', 'ruleset')).not.toMatch(hostName)
  })

  test('of garbage removes what belongs to no valid attachment', async () => {
    const stray = await cluster.runPod('stray', 'n1')
    const valid = [a, a2].map(({ request }) => request)
    await cluster.side('n1').collectGarbage(valid)
    const ports = cluster.vsctl('n1', 'list-ports', 'br-int')
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
  const exists = (await cluster.kube.find(endpointSlices, 'web-1', 'default')) !== undefined
  await (exists ? cluster.kube.update(endpointSlices, slice) : cluster.kube.create(endpointSlices, slice))
  await eventually(() => cluster.nbctl('--bare', '--columns=vips', 'find', 'Load_Balancer').includes(pod.address))
  cluster.nbctl('--wait=hv', 'sync')
}

async function endPod(pod: TestPod): Promise<void> {
  await cluster.deletePod(pod.name)
  await cluster.detach('n1', pod.request)
}

function until<T>(what: string, look: () => T | undefined): Promise<T> {
  return waitFor(cluster.pods, look, { what, timeoutMs: 10_000 })
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
  return cluster.nbctl(...tables.flatMap((table) => ['--', 'list', table]))
}

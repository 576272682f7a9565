import { expect, test } from 'vitest'
import type { NodeFacts, PodFacts } from './facts.ts'
import { parseDatapath, parseOvnTrace } from './logical.ts'
import { tracePod } from './trace.ts'

const main = (priority = 32766) => ({ family: 4 as const, priority, table: 254 })
const route = (destination: string, device: string, more: object = {}) => ({
  family: 4 as const,
  destination,
  device,
  ...more,
})
const device = (name: string, ...addresses: string[]) => ({ name, mac: `mac of ${name}`, isUp: true, addresses })

function pod(name: string, address: string, hostDevice: string): PodFacts {
  return {
    namespace: 'default',
    name,
    interfaces: [{ name: 'eth0', network: 'routed', hostDevice }],
    kernel: {
      devices: [device('eth0', `${address}/32`)],
      rules: [main()],
      routes: [route('0.0.0.0/0', 'eth0', { gateway: '169.254.1.1' })],
    },
  }
}

function node(name: string, own: string, { pods, routes }: { pods: PodFacts[]; routes: object[] }): NodeFacts {
  return {
    node: name,
    host: {
      devices: [device('ens2', `${own}/24`), device('ens9', `${own.replace('.100.', '.90.')}/24`)],
      rules: [{ ...main(0), table: 255 }, main()],
      routes: [route(`${own}/32`, 'ens2', { table: 255, type: 'local' }), ...routes] as never,
    },
    pods,
    nat: [],
    southbound: '',
    logicalPorts: {},
    bird: [{ destination: '10.244.2.0/24', protocol: 'Mesh_n2', gateways: [], isPrimary: true }],
  }
}

const toA = route('10.244.1.1/32', 'calia')
const toB = route('10.244.2.1/32', 'calib')
const n1 = node('n1', '192.168.100.1', {
  pods: [pod('a', '10.244.1.1', 'calia')],
  routes: [toA, route('10.244.2.0/24', 'ens2', { gateway: '192.168.100.2', protocol: 12 })],
})
const n2 = (gateway: string, deviceName: string) =>
  node('n2', '192.168.100.2', {
    pods: [pod('b', '10.244.2.1', 'calib')],
    routes: [toB, route('10.244.1.0/24', deviceName, { gateway })],
  })
const trace = (nodes: NodeFacts[], destination = '10.244.2.1') =>
  tracePod({ nodes, run: async () => '' }, { pod: { namespace: 'default', name: 'a' }, destination })

test('a way whose answer passes the same devices is symmetric, and tells where BIRD has the route from', async () => {
  const { forward, verdict } = await trace([n1, n2('192.168.100.1', 'ens2')])
  expect(forward.crossings.map(({ place, device: name }) => `${place} ${name}`)).toEqual([
    'pod default/a eth0',
    'node n1 calia',
    'node n1 ens2',
    'node n2 ens2',
    'node n2 calib',
    'pod default/b eth0',
  ])
  expect(forward.steps[1]?.lines).toContain('from BIRD: Mesh_n2')
  expect(verdict).toBe('symmetric')
})

test('an answer that leaves a node by another NIC is asymmetric there', async () => {
  const { verdict } = await trace([n1, n2('192.168.90.1', 'ens9')])
  expect(verdict).toBe('asymmetric at node n2: the packet passed it by ens2, the answer takes ens9')
})

test('a packet or an answer that has no route is told with the place', async () => {
  expect((await trace([n1, n2('192.168.100.1', 'ens2')], '203.0.113.1')).verdict).toBe(
    'undecided: the packet is lost at node n1: no route to 203.0.113.1',
  )
  const deaf = node('n2', '192.168.100.2', { pods: [pod('b', '10.244.2.1', 'calib')], routes: [toB] })
  expect((await trace([n1, deaf])).verdict).toBe('no answer: it is lost at node n2: no route to 10.244.1.1')
})

test('a loss behind the place where the answer leaves the way is told with it', async () => {
  const odd = n2('192.168.90.9', 'ens9')
  const lost = {
    ...odd,
    host: {
      ...odd.host,
      routes: odd.host.routes.map((each) => (each.device === 'ens9' ? { ...each, type: 'blackhole' as const } : each)),
    },
  }
  expect((await trace([n1, lost])).verdict).toBe('no answer: it is lost at node n2: the route is blackhole')
  const [b] = odd.pods
  const deaf = {
    ...b!,
    interfaces: [...b!.interfaces, { name: 'eth1', network: 'x' }],
    kernel: { ...b!.kernel, routes: [route('0.0.0.0/0', 'eth1')] },
  }
  expect((await trace([n1, { ...odd, pods: [deaf] }])).verdict).toBe(
    'asymmetric at pod default/b: the packet passed it by eth0, the answer takes eth1, where it is lost at pod default/b: eth1 is of no network that the agent knows',
  )
})

test('a destination that no node knows is outside, and its answer is not guessed', async () => {
  const open = node('n1', '192.168.100.1', {
    pods: n1.pods as PodFacts[],
    routes: [toA, route('0.0.0.0/0', 'ens2', { gateway: '192.168.100.254' })],
  })
  const { forward, reverse, verdict } = await trace([open], '203.0.113.1')
  expect(forward.end).toEqual({ kind: 'outside', node: 'n1', device: 'ens2', gateway: '192.168.100.254' })
  expect(reverse).toBeUndefined()
  expect(verdict).toMatch(/^undecided: nobody that was asked tells how an answer to 10.244.1.1 comes in/)
})

test("ovn-trace's report gives datapaths, output and translations", () => {
  const text = `# icmp,reg14=0x3
ingress(dp="work01", inport="default_a")
 0. ls_in_check_port_sec: priority 50
    next;
egress(dp="work01", inport="default_a", outport="stor-work01")
    /* output to "stor-work01", type "patch" */
ingress(dp="ovn_cluster_router", inport="rtos-work01")
    ct_snat(192.168.200.101);
egress(dp="work02", inport="stor-work02", outport="default_b")
    /* output to "default_b", type "" */
`
  expect(parseOvnTrace(text)).toEqual({
    datapaths: ['work01', 'ovn_cluster_router', 'work02'],
    outputs: ['default_b'],
    translations: ['ct_snat(192.168.200.101)'],
    backends: [],
  })
  expect(parseOvnTrace('    ct_lb_mark(backends=10.244.3.3:5201,[fd00::4]:80);').backends).toEqual([
    { address: '10.244.3.3', port: 5201 },
    { address: 'fd00::4', port: 80 },
  ])
  expect(parseOvnTrace('ingress(dp="work01", inport="default_a")\n    drop;').outputs).toEqual([])
  expect(parseDatapath('Datapath actions: ct(zone=3),recirc(0x1)\n…\nDatapath actions: 4\n')).toBe('4')
})

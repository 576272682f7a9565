import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { familyOf } from '../../src/base/ip.ts'
import { createLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { pods } from '../../src/kube/resources/core.ts'
import { testDefinition, testPod } from '../support/agent.ts'
import { ip, ipJson } from '../support/netns.ts'
import { usePodSandbox } from './support/pod-sandbox.ts'

const sandbox = usePodSandbox()

beforeAll(async () => {
  await exec('ip', ['link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'uplink-peer'])
  for (const name of ['uplink', 'uplink-peer']) await exec('ip', ['link', 'set', name, 'up'])
})
afterAll(() => exec('ip', ['link', 'delete', 'uplink']))

const first = {
  cniVersion: '1.0.0',
  name: 'first',
  type: 'ptp',
  ipam: ipam(['10.1.0.2/24', '10.1.0.1'], ['fd01::2/64', 'fd01::1']),
}
const bridge = {
  cniVersion: '1.0.0',
  name: 'second',
  type: 'bridge',
  bridge: 'br-routing',
  isGateway: true,
  ipam: ipam(['10.2.0.2/24', '10.2.0.1'], ['fd02::2/64', 'fd02::1']),
}
const macvlan = { ...bridge, type: 'macvlan', master: 'uplink' }
const overlapping = { ...macvlan, ipam: ipam(['10.1.0.9/24', '10.1.0.1'], ['fd01::9/64', 'fd01::1']) }

function ipam(...addresses: [string, string][]) {
  return {
    type: 'static',
    addresses: addresses.map(([address, gateway]) => ({ address, gateway })),
    // The gateway is left out on purpose: that of the addresses is implied.
    routes: addresses[0]?.[0].startsWith('10.1.0.2') === true ? [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] : [],
  }
}

describe.each([
  { title: 'a bridge that is asked for IPv4', second: bridge, asked: ['10.2.0.1'] },
  { title: 'a bridge that is asked for IPv6', second: bridge, asked: ['fd02::1'] },
  { title: 'a bridge that is asked for both', second: bridge, asked: ['10.2.0.1', 'fd02::1'] },
  { title: 'a macvlan that is asked for both', second: macvlan, asked: ['10.2.0.1', 'fd02::1'] },
  { title: 'a macvlan that is asked for nothing', second: macvlan, asked: [] },
  { title: 'a macvlan on the subnet of the first network', second: overlapping, asked: [] },
])('$title beside a ptp', ({ second, asked }) => {
  test('result, network-status and kernel name the same default routes, and CHECK agrees', async () => {
    const { result, status } = await addPod(second, asked)
    for (const family of [4, 6] as const) {
      const isMoved = asked.some((gateway) => familyOf(gateway) === family)
      const inKernel = (await ipJson(sandbox.netns, `-${family}`, 'route', 'show', 'default')).map(
        ({ dev, gateway }) => ({
          dev,
          gateway,
        }),
      )
      expect(inKernel).toHaveLength(1)
      expect(inKernel[0]?.dev).toBe(isMoved ? 'eth1' : 'eth0')
      const told = status.flatMap((entry) =>
        (entry.gateway ?? [])
          .filter((gateway) => familyOf(gateway) === family)
          .map((gateway) => ({ dev: entry.interface, gateway })),
      )
      expect(told).toEqual(inKernel)
      const destination = family === 4 ? '0.0.0.0/0' : '::/0'
      expect(result.routes.some(({ dst }) => dst === destination)).toBe(!isMoved)
    }
    expect((await call('CHECK', { prevResult: result })).json).toBeUndefined()
  })

  test('each address answers by its own interface, and the first one reaches its subnet by its gateway', async () => {
    await addPod(second, asked)
    const [four, six] = second.ipam.addresses.map(({ address }) => address.split('/')[0] ?? '')
    expect(await ip(sandbox.netns, 'route', 'get', '203.0.113.1', 'from', '10.1.0.2')).toContain('dev eth0')
    expect(await ip(sandbox.netns, 'route', 'get', '203.0.113.1', 'from', four ?? '')).toContain('dev eth1')
    expect(await ip(sandbox.netns, '-6', 'route', 'get', '2001:db8::1', 'from', 'fd01::2')).toContain('dev eth0')
    expect(await ip(sandbox.netns, '-6', 'route', 'get', '2001:db8::1', 'from', six ?? '')).toContain('dev eth1')
    expect(await ip(sandbox.netns, 'route', 'get', '10.1.0.77', 'from', '10.1.0.2')).toContain('via 10.1.0.1 dev eth0')
  })
})

test('CHECK sees that a route of an extra table is gone', async () => {
  const { result } = await addPod(bridge, ['10.2.0.1'])
  await ip(sandbox.netns, 'route', 'delete', 'default', 'table', '1000')
  const { json } = await call('CHECK', { prevResult: result })
  expect(JSON.stringify(json)).toContain('the route 0.0.0.0/0 via 10.1.0.1 dev eth0 of table 1000 is missing')
})

describe('prefixes that do not follow the default route', () => {
  test('stay on the first network when the default goes to the second', async () => {
    const kept = ['198.51.100.0/24', '2001:db8:9::/48']
    const { result } = await addPod({ ...bridge, keepOnDefaultNetwork: kept }, ['10.2.0.1', 'fd02::1'])
    expect(await routesTo(4, 'default', '198.51.100.0/24')).toEqual(['10.2.0.1 eth1', '10.1.0.1 eth0'])
    expect(await routesTo(6, 'default', '2001:db8:9::/48')).toEqual(['fd02::1 eth1', 'fd01::1 eth0'])
    expect(await ip(sandbox.netns, 'route', 'get', '198.51.100.7')).toContain('via 10.1.0.1 dev eth0 src 10.1.0.2')
    expect(result.routes).toContainEqual({ dst: '198.51.100.0/24', gw: '10.1.0.1' })
    expect((await call('CHECK', { prevResult: result })).json).toBeUndefined()
  })

  test('go to the second network when the default stays on the first', async () => {
    const taken = ['198.51.100.0/24', '2001:db8:9::/48']
    const { result } = await addPod({ ...bridge, takeFromDefaultNetwork: taken }, [])
    expect(await routesTo(4, 'default', '198.51.100.0/24')).toEqual(['10.1.0.1 eth0', '10.2.0.1 eth1'])
    expect(await routesTo(6, 'default', '2001:db8:9::/48')).toEqual(['fd01::1 eth0', 'fd02::1 eth1'])
    expect(await ip(sandbox.netns, 'route', 'get', '198.51.100.7')).toContain('via 10.2.0.1 dev eth1 src 10.2.0.2')
    expect((await call('CHECK', { prevResult: result })).json).toBeUndefined()
  })
})

/** Gateway and interface of every route of the main table to the destinations, in their order. */
async function routesTo(family: 4 | 6, ...destinations: string[]): Promise<string[]> {
  const routes = await ipJson(sandbox.netns, `-${family}`, 'route')
  return destinations.flatMap((destination) =>
    routes.filter(({ dst }) => dst === destination).map(({ gateway, dev }) => `${gateway} ${dev}`),
  )
}

interface Status {
  interface: string
  gateway?: string[]
}

async function addPod(second: object, asked: readonly string[]) {
  const networks = JSON.stringify([
    { name: 'second', interface: 'eth1', ...(asked.length > 0 ? { 'default-route': asked } : {}) },
  ])
  await sandbox.startAgent({ pods: [testPod('web', networks)], definitions: [testDefinition('second', second)] })
  const { code, json } = await call('ADD')
  expect(json).not.toHaveProperty('msg')
  expect(code).toBe(0)
  const stop = new AbortController()
  const informer = createInformer(sandbox.kube, pods, { log: createLog({ name: 'test', level: 'silent' }) })
  await informer.start(stop.signal)
  const key = 'k8s.v1.cni.cncf.io/network-status'
  const text = await waitFor(informer, () => informer.get('web', 'default')?.metadata.annotations?.[key], {
    what: 'network-status',
    timeoutMs: 10_000,
    signal: stop.signal,
  })
  stop.abort()
  return { result: json as { routes: { dst: string }[] }, status: JSON.parse(text) as Status[] }
}

function call(command: string, more: object = {}) {
  const config = { cniVersion: '1.0.0', name: 'multus-cni-network', type: 'twinlane', delegates: [first], ...more }
  return sandbox.call(command, config)
}

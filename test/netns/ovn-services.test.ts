import type { ChildProcess } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type EndpointSliceResource,
  endpointSlices,
  type ServiceResource,
  services,
} from '../../src/kube/resources/core.ts'
import { eventually, OvnCluster, type TestPod } from '../support/ovn-cluster.ts'
import { ask, canPing, serveName } from '../support/pod-traffic.ts'

let cluster: OvnCluster
/** a and a2 on n1, b on n2. */
let a: TestPod
let a2: TestPod
let b: TestPod
const servers: ChildProcess[] = []

beforeAll(async () => {
  cluster = await OvnCluster.start()
  a = await cluster.runPod('a', 'n1')
  a2 = await cluster.runPod('a2', 'n1')
  b = await cluster.runPod('b', 'n2')
  for (const pod of [a, a2, b]) servers.push(await serveName(pod))
  expect(await canPing(a, b.address)).toBe(true)
}, 60_000)

afterAll(async () => {
  for (const server of servers) server.kill('SIGKILL')
  await cluster.close()
}, 60_000)

describe('a service through the load balancers of OVN', () => {
  test('spreads connections over its backends, on this node and the other', async () => {
    await publish('spread', '10.96.0.20', {}, [a2, b])
    expect(new Set(await ask(a, '10.96.0.20', 30))).toEqual(new Set(['a2', 'b']))
  })

  test('with session affinity keeps a client at one backend, from its first connection on', async () => {
    const sessionAffinityConfig = { clientIP: { timeoutSeconds: 600 } }
    await publish('sticky', '10.96.0.21', { sessionAffinity: 'ClientIP', sessionAffinityConfig }, [a2, b])
    for (const client of [a, b]) {
      const [first, ...more] = await ask(client, '10.96.0.21', 15)
      expect(['a2', 'b']).toContain(first)
      expect(new Set(more)).toEqual(new Set([first]))
    }
  })

  test('lets a pod reach itself (hairpin)', async () => {
    await publish('self', '10.96.0.23', {}, [a])
    expect(await ask(a, '10.96.0.23', 5)).toEqual(['a', 'a', 'a', 'a', 'a'])
  })

  test('with internal traffic policy Local serves each node by its own pods, and refuses where there are none', async () => {
    await publish('local', '10.96.0.24', { internalTrafficPolicy: 'Local' }, [a2])
    expect(new Set(await ask(a, '10.96.0.24', 10))).toEqual(new Set(['a2']))
    expect(await ask(b, '10.96.0.24', 2)).toEqual(['ECONNREFUSED', 'ECONNREFUSED'])
    await publish('local', '10.96.0.24', { internalTrafficPolicy: 'Local' }, [a2, b])
    expect(new Set(await ask(b, '10.96.0.24', 10))).toEqual(new Set(['b']))
    expect(new Set(await ask(a, '10.96.0.24', 10))).toEqual(new Set(['a2']))
  })

  test('without backends refuses at once instead of leaving the client waiting', async () => {
    await publish('empty', '10.96.0.25', {}, [])
    const startedAt = performance.now()
    expect(await ask(a, '10.96.0.25', 1)).toEqual(['ECONNREFUSED'])
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  test('answers pods on the node port of their own node', async () => {
    await publish('node-port', '10.96.0.26', { type: 'NodePort' }, [a2, b], 30_080)
    expect(new Set(await ask(a, '192.168.200.11', 20, 30_080))).toEqual(new Set(['a2', 'b']))
  })

  test('sends nothing to a backend that is gone, also within the affinity of a client', async () => {
    const affinity = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } }
    await publish('moving', '10.96.0.27', affinity, [b])
    expect(await ask(a, '10.96.0.27', 2)).toEqual(['b', 'b'])
    await publish('moving', '10.96.0.27', affinity, [a2])
    expect(await ask(a, '10.96.0.27', 5)).toEqual(['a2', 'a2', 'a2', 'a2', 'a2'])
  })
})

/** Creates or changes a service and its endpoints; resolves when every node has it. */
async function publish(
  name: string,
  clusterIP: string,
  spec: object,
  backends: readonly TestPod[],
  nodePort?: number,
): Promise<void> {
  const metadata = { name, namespace: 'default' }
  const port = { port: 80, protocol: 'TCP', ...(nodePort === undefined ? {} : { nodePort }) }
  const service = { metadata, spec: { clusterIP, clusterIPs: [clusterIP], ports: [port], ...spec } } as ServiceResource
  const slice = {
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports: [{ port: 8080, protocol: 'TCP' }],
    endpoints: backends.map((pod) => ({
      addresses: [pod.address],
      nodeName: pod === b ? 'n2' : 'n1',
      conditions: { ready: true },
    })),
  } as EndpointSliceResource
  const exists = (await cluster.kube.find(services, name, 'default')) !== undefined
  await (exists ? cluster.kube.update(endpointSlices, slice) : cluster.kube.create(endpointSlices, slice))
  if (!exists) await cluster.kube.create(services, service)
  const vips = () =>
    cluster.nbctl('--bare', '--columns=vips', 'find', 'Load_Balancer', `external_ids:k8s.ovn.org/owner=default/${name}`)
  const isPublished = (): boolean => {
    const found = vips()
    const addresses = [a, a2, b].filter((pod) => found.includes(`${pod.address}:8080`))
    return found.includes(`${clusterIP}:80`) && addresses.length === backends.length
  }
  await eventually(isPublished)
  cluster.nbctl('--wait=hv', 'sync')
}

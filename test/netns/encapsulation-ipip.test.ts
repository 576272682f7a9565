import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodes } from '../../src/kube/resources/core.ts'
import { ipamHandles, ipPools } from '../../src/networks/routed/resources.ts'
import { kernelHas } from './support/kernel-has.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  type TestPod,
} from './support/routed-cluster.ts'

/** Under software emulation (scripts/guest.mjs) everything takes its time. */
const patienceMs = 600_000

/** Where this kernel has no IP-in-IP, scripts/guest.mjs runs this file on one that has. */
describe.runIf(await kernelHas('ipip'))('ipipMode Always', { timeout: 4 * patienceMs }, () => {
  let cluster: RoutedCluster
  let work01: RoutedNode
  let work02: RoutedNode
  let here: { pod: TestPod; address: string }
  let there: { pod: TestPod; address: string }

  beforeAll(async () => {
    cluster = await createRoutedCluster(
      { work01: '192.168.100.101', work02: '192.168.100.102' },
      { ipipMode: 'Always' },
    )
    ;[work01, work02] = cluster.nodes as [RoutedNode, RoutedNode]
    here = await podOn(work01, 'here')
    there = await podOn(work02, 'there')
  }, patienceMs)
  afterAll(() => cluster?.stop(), patienceMs)

  async function podOn(node: RoutedNode, name: string): Promise<{ pod: TestPod; address: string }> {
    const pod = await cluster.createPod(name)
    return { pod, address: (await cluster.attach(node, pod)).address }
  }

  const ping = (...more: string[]) => here.pod.exec('busybox', 'ping', '-c', '1', '-W', '5', ...more, there.address)

  it('reaches pods of the other node through tunl0, in packets as large as there is room for', async () => {
    await eventually('the tunnel', () => ping(), patienceMs)
    expect(await here.pod.exec('ip', 'link', 'show', 'eth0')).toContain('mtu 1480')
    await ping('-s', '1452')
    expect(await work01.ip('route', 'get', there.address)).toContain(`via ${work02.address} dev tunl0`)
    expect(await work01.ip('link', 'show', 'tunl0')).toContain('mtu 1480')
  })

  it("has an address of the pool on the tunnel, which the Node's annotation tells", async () => {
    const { metadata } = await cluster.kube.get(nodes, 'work01')
    const told = metadata.annotations?.['projectcalico.org/IPv4IPIPTunnelAddr']
    expect(await work01.ip('-br', 'address', 'show', 'tunl0')).toContain(`${told}/32`)
    expect((await cluster.kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)).toContain(
      'ipip-tunnel-addr-work01',
    )
    await work01.exec('busybox', 'ping', '-c', '1', '-W', '5', there.address)
  })

  it('is as it was when somebody sets the tunnel down', async () => {
    await work01.ip('link', 'set', 'tunl0', 'down')
    await eventually('the repair', () => ping(), patienceMs)
  })

  it('becomes VXLAN, and ends with nothing left but the device, which is down', async () => {
    const setModes = (spec: object) =>
      cluster.kube.patch(ipPools, 'default-ipv4-ippool', { type: 'merge', body: { spec } })
    await setModes({ ipipMode: 'Never', vxlanMode: 'Always' })
    await eventually(
      'VXLAN',
      async () => expect(await work01.ip('route', 'get', there.address)).toContain('dev vxlan.calico'),
      patienceMs,
    )
    await eventually(
      'the end of IP-in-IP',
      async () => {
        expect(await work01.ip('-br', 'link', 'show', 'tunl0')).toContain('DOWN')
        expect(await work01.ip('-br', 'address', 'show', 'tunl0')).not.toContain('/32')
        const handles = (await cluster.kube.list(ipamHandles)).items.map(({ spec }) => spec.handleID)
        expect(handles.filter((handle) => handle.startsWith('ipip'))).toEqual([])
      },
      patienceMs,
    )
    await ping()
  })
})

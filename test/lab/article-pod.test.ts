import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder } from './support/article.ts'
import { eventsOf } from './support/events.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 2, points 5, 6 and 8: the article's NAD and pod, its addresses and routes, its status and events. */
describe("the article's pod busybox3", () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await lab.cli(['apply', '-f', `${articleFolder}busybox3.yaml`])
    await lab.cli(['wait', 'pod/busybox3', '--for=condition=Ready', '--timeout=60s'])
  })

  const inPod = async (...command: string[]): Promise<string> =>
    (await lab.cli(['exec', 'busybox3', '--', ...command])).stdout

  it('has eth0 on the routed network: MTU 1500 and a /32 of 10.244.0.0/16', async () => {
    const text = await inPod('ip', 'addr', 'show', 'dev', 'eth0')
    expect(text).toMatch(/mtu 1500/)
    expect(text).toMatch(/inet 10\.244\.\d+\.\d+\/32 scope global eth0/)
  })

  it('has eth1 on the OVN network: MTU 1400, an address with its broadcast, and a MAC made of the address', async () => {
    const text = await inPod('ip', 'addr', 'show', 'dev', 'eth1')
    expect(text).toMatch(/mtu 1400/)
    const [, subnet, host] = /inet 10\.144\.(\d+)\.(\d+)\/24 brd 10\.144\.\1\.255 scope global eth1/.exec(text) ?? []
    expect(host).toBeDefined()
    const hex = [10, 144, Number(subnet), Number(host)].map((part) => part.toString(16).padStart(2, '0')).join(':')
    expect(text).toContain(`link/ether 0a:58:${hex}`)
  })

  it("has exactly the article's five routes in the main table", async () => {
    const status = await networkStatus(lab)
    const address = status.find((entry) => entry.interface === 'eth1')?.ips[0] ?? 'none'
    const subnet = address.split('.').slice(0, 3).join('.')
    const routes = (await inPod('ip', 'route'))
      .trim()
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' '))
    expect(routes.sort()).toEqual(
      [
        `default via ${subnet}.1 dev eth1`,
        `10.96.0.0/16 via ${subnet}.1 dev eth1`,
        `${subnet}.0/24 dev eth1 scope link src ${address}`,
        `10.144.0.0/16 via ${subnet}.1 dev eth1`,
        '169.254.1.1 dev eth0 scope link',
      ].sort(),
    )
  })

  it("sends what carries eth0's address by eth0 and the rest by eth1", async () => {
    const eth0 = (await networkStatus(lab)).find((entry) => entry.interface === 'eth0')?.ips[0] ?? 'none'
    expect(await inPod('ip', 'route', 'get', '203.0.113.1', 'from', eth0)).toMatch(/dev eth0/)
    expect(await inPod('ip', 'route', 'get', '203.0.113.1')).toMatch(/dev eth1/)
  })

  it('carries network-status in the form of the standard, the default network first', async () => {
    const status = await networkStatus(lab)
    expect(status.map((entry) => [entry.name, entry.interface, entry.default ?? false])).toEqual([
      ['k8s-pod-network', 'eth0', true],
      ['default/yusur-ovn', 'eth1', false],
    ])
    expect(status[1]?.mac).toMatch(/^0a:58:0a:90:/)
    expect(status.every((entry) => entry.dns !== undefined)).toBe(true)
  })

  it('has the events that Multus writes, one an interface', async () => {
    const events = await eventsOf(lab, 'busybox3')
    expect(events).toContainEqual(
      expect.stringMatching(/^Normal AddedInterface Add eth0 \[10\.244\.\d+\.\d+\/32\] from k8s-pod-network$/),
    )
    expect(events).toContainEqual(
      expect.stringMatching(/^Normal AddedInterface Add eth1 \[10\.144\.\d+\.\d+\/24\] from default\/yusur-ovn$/),
    )
  })

  it('has a Warning event for the comments in its annotation, naming the line', async () => {
    const events = await eventsOf(lab, 'busybox3')
    expect(events).toContainEqual(expect.stringMatching(/^Warning \S+ .*line 1.*reject/s))
  })

  it('has the address of eth0 as its pod IP', async () => {
    const eth0 = (await networkStatus(lab)).find((entry) => entry.interface === 'eth0')?.ips[0]
    const pod = await lab.json<{ status: { podIP: string } }>(['get', 'pod', 'busybox3', '-o', 'json'])
    expect(pod.status.podIP).toBe(eth0)
  })
})

interface StatusEntry {
  name: string
  interface: string
  ips: string[]
  mac?: string
  default?: boolean
  dns?: object
}

async function networkStatus(lab: Lab): Promise<StatusEntry[]> {
  const pod = await lab.json<{ metadata: { annotations: Record<string, string> } }>([
    'get',
    'pod',
    'busybox3',
    '-o',
    'json',
  ])
  return JSON.parse(pod.metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '[]') as StatusEntry[]
}

import { beforeAll, describe, expect, it } from 'vitest'
import { articleLab } from '../../src/lab/article.ts'
import { sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

/** The article's cluster with IPv6 on its first two networks. */
const dualStack = {
  name: 'dual',
  fabric: {
    networks: articleLab.fabric.networks.map((network, index) =>
      index === 2 ? network : { ...network, cidr6: `fd00:${index}::/64`, router6: `fd00:${index}::1` },
    ),
    outside: ['203.0.113.1', '2001:db8:ffff::1'],
  },
  nodes: articleLab.nodes.map((node, index) => ({
    ...node,
    addresses6: { ens1: `fd00:0::${index + 10}`, ens2: `fd00:1::${index + 10}` },
  })),
  routed: { ipv6PoolCidr: 'fd00:10:244::/64', ipv6NatOutgoing: true },
}

const server = 'mkdir -p /www && head -c 1000000 /dev/urandom > /www/blob && httpd -p [::]:8080 -h /www && sleep 36000'

interface PodObject {
  status: { podIP: string; podIPs: { ip: string }[] }
  metadata: { annotations: Record<string, string> }
}

describe('a dual-stack lab', () => {
  let lab: Lab
  const pods = new Map<string, PodObject>()

  beforeAll(async () => {
    lab = await useLab({ fresh: true, config: dualStack })
    const wanted = [
      { name: 'six-a', node: 'work01', command: server },
      { name: 'six-b', node: 'work02', command: server },
    ]
    await lab.cli(['apply', '-f', '-'], { input: wanted.map(sleepingPod).join('\n---\n') })
    for (const { name } of wanted) {
      await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
      pods.set(name, await lab.json<PodObject>(['get', 'pod', name, '-o', 'json']))
    }
  })

  const ips = (pod: string): string[] => pods.get(pod)?.status.podIPs.map(({ ip }) => ip) ?? []
  const v6 = (pod: string): string => ips(pod)[1] ?? `no IPv6 of ${pod}`

  it('gives a pod both addresses, IPv4 first, in its status and in network-status', () => {
    expect(ips('six-a')).toEqual([expect.stringMatching(/^10\.244\./), expect.stringMatching(/^fd00:10:244:/)])
    const [eth0] = JSON.parse(pods.get('six-a')?.metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '[]')
    expect(eth0.ips).toEqual(ips('six-a'))
  })

  it('writes the IPv6 address of every node, and BIRD has sessions of both families', async () => {
    const { stdout } = await lab.exec('work01', ['birdc', 'show', 'protocols'])
    expect(stdout.match(/Mesh_\S+\s+BGP\s+\S+\s+up/g)?.length).toBe(4)
  })

  it('carries pings and 1 MB of TCP between pods on different nodes over IPv6', async () => {
    await eventually(async () => {
      const { stdout } = await lab.cli(['exec', 'six-a', '--', 'ping', '-6', '-c', '3', '-W', '2', v6('six-b')])
      expect(stdout).toContain(' 0% packet loss')
    })
    const command = `timeout 15 wget -q -O - http://[${v6('six-b')}]:8080/blob | wc -c`
    expect((await lab.cli(['exec', 'six-a', '--', 'sh', '-c', command])).stdout.trim()).toBe('1000000')
  })

  it('lets a node reach a pod of another node, and a pod the outside, over IPv6', async () => {
    await lab.exec('master01', ['ping', '-6', '-c', '3', '-W', '2', v6('six-b')])
    await lab.cli(['exec', 'six-a', '--', 'ping', '-6', '-c', '3', '-W', '2', '2001:db8:ffff::1'])
  })

  it('says of both pools that addresses are given out', async () => {
    const { stdout } = await lab.cli(['get', 'ippools', '-o', 'jsonpath={.items[*].status.conditions[*].reason}'])
    expect(stdout.trim()).toBe('OK OK')
  })

  it('shows the pools of both families', async () => {
    const { stdout } = await lab.cli(['ipam', 'show', '--show-blocks'])
    expect(stdout).toMatch(/IP Pool +\| +fd00:10:244::\/64/)
    expect(stdout).toMatch(/Block +\| +fd00:10:244:\S*\/122 +\| +64 +\| 1 \(2%\) +\| 63 \(98%\)/)
  })

  it.each([
    ['Always', 'dev vxlan-v6.calico', 'is encapsulated while pods talk, without a lost packet'],
    ['Never', 'dev ens2', 'is routed again while pods talk, without a lost packet'],
  ])('with vxlanMode %s (%s) the IPv6 pool %s', async (vxlanMode, way) => {
    const answers = lab.cli([
      'exec',
      'six-a',
      '--',
      'ping',
      '-6',
      '-q',
      '-c',
      '400',
      '-i',
      '0.01',
      '-W',
      '2',
      v6('six-b'),
    ])
    answers.catch(() => {})
    await lab.cli(['patch', 'ippool', 'default-ipv6-ippool', '-p', JSON.stringify({ spec: { vxlanMode } })])
    await eventually(async () => {
      for (const [node, pod] of [
        ['work01', 'six-b'],
        ['work02', 'six-a'],
      ] as const) {
        expect((await lab.exec(node, ['ip', '-6', 'route', 'get', v6(pod)])).stdout).toContain(way)
      }
    })
    expect((await answers).stdout).toContain('400 packets transmitted, 400 packets received')
  })

  it('says in the Node what other nodes send IPv6 to, for as long as there is a tunnel', async () => {
    const shown = () => lab.json<{ spec: object }>(['get', 'node.projectcalico.org', 'work01', '-o', 'json'])
    await lab.cli([
      'patch',
      'ippool',
      'default-ipv6-ippool',
      '-p',
      JSON.stringify({ spec: { vxlanMode: 'CrossSubnet' } }),
    ])
    await eventually(async () =>
      expect((await shown()).spec).toMatchObject({
        ipv6VXLANTunnelAddr: expect.stringMatching(/^fd00:10:244:/),
        vxlanTunnelMACAddrV6: expect.stringMatching(/^66:/),
      }),
    )
    expect((await lab.cli(['ipam', 'check'])).stdout).toContain('found 0 problems')
  })
})

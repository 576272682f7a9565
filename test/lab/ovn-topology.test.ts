import { beforeAll, describe, expect, it } from 'vitest'
import { type Lab, useLab } from './support/lab.ts'

const hosts = { master01: '192.168.200.10', work01: '192.168.200.101', work02: '192.168.200.102' }

/** Issue 2, point 4: Open vSwitch and OVN look as in the article, with vxlan; geneve by one setting. */
describe.each([
  { encapsulation: 'vxlan', options: {} },
  { encapsulation: 'geneve', options: { ovn: { encapType: 'geneve' } } },
])('the OVN network with $encapsulation', ({ encapsulation, options }) => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab(encapsulation === 'vxlan' ? {} : { fresh: true, config: options })
  })

  it.each(Object.keys(hosts) as (keyof typeof hosts)[])(
    "ovs-vsctl show on %s has the article's shape",
    async (node) => {
      const { stdout } = await lab.exec(node, ['ovs-vsctl', 'show'])
      const bridges = new Map(
        stdout
          .split(/^ {4}Bridge /m)
          .slice(1)
          .map((text) => [text.split('\n')[0]?.trim(), text]),
      )
      expect([...bridges.keys()].sort()).toEqual(['br-int', 'brens3'])

      const gateway = bridges.get('brens3') ?? ''
      expect(gateway).toContain('fail_mode: standalone')
      expect(gateway).toContain(`Port patch-brens3_${node}-to-br-int`)
      expect(gateway).toContain(`options: {peer=patch-br-int-to-brens3_${node}}`)
      expect(gateway).toMatch(/Port ens3\n/)
      expect(gateway).toMatch(/Port brens3\n\s+Interface brens3\n\s+type: internal/)

      const integration = bridges.get('br-int') ?? ''
      expect(integration).toContain('fail_mode: secure')
      expect(integration).toMatch(/Port ovn-k8s-mp0\n\s+Interface ovn-k8s-mp0\n\s+type: internal/)
      expect(integration).toContain(`options: {peer=patch-brens3_${node}-to-br-int}`)
      const tunnels = [
        ...integration.matchAll(
          /Port ovn-[0-9a-f]{6}-0\n\s+Interface ovn-[0-9a-f]{6}-0\n\s+type: (\w+)\n\s+options: \{([^}]*)\}/g,
        ),
      ]
      expect(tunnels.map((match) => match[1])).toEqual([encapsulation, encapsulation])
      const remotes = tunnels.map((match) => /remote_ip="([^"]+)"/.exec(match[2] ?? '')?.[1])
      expect(remotes.sort()).toEqual(
        Object.entries(hosts)
          .filter(([name]) => name !== node)
          .map(([, address]) => address)
          .sort(),
      )
    },
  )

  it('the logical topology has the names that people know from OVN-Kubernetes', async () => {
    const switches = (await lab.exec('master01', ['ovn-nbctl', '--bare', '--columns=name', 'list', 'Logical_Switch']))
      .stdout
    const routers = (await lab.exec('master01', ['ovn-nbctl', '--bare', '--columns=name', 'list', 'Logical_Router']))
      .stdout
    const names = (text: string): string[] =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .sort()
    expect(names(switches)).toEqual([
      'ext_master01',
      'ext_work01',
      'ext_work02',
      'join',
      'master01',
      'work01',
      'work02',
    ])
    expect(names(routers)).toEqual(['GR_master01', 'GR_work01', 'GR_work02', 'ovn_cluster_router'])
  })

  it('each node switch has a /24 of 10.144.0.0/16 and multicast snooping', async () => {
    const subnets = new Set<string>()
    for (const node of Object.keys(hosts)) {
      const { stdout } = await lab.exec('master01', ['ovn-nbctl', 'get', 'Logical_Switch', node, 'other_config'])
      subnets.add(/subnet="(10\.144\.\d+\.0\/24)"/.exec(stdout)?.[1] ?? `none in ${stdout}`)
      expect(stdout).toContain('mcast_snoop="true"')
      expect(stdout).toContain('mcast_querier="true"')
    }
    expect(subnets.size).toBe(3)
  })

  it('a node reaches the management port of another node through the tunnel', async () => {
    const list = await lab.json<{ items: { metadata: { name: string; annotations: Record<string, string> } }[] }>([
      'get',
      'nodes.v1.',
      '-o',
      'json',
    ])
    const work02 = list.items.find((item) => item.metadata.name === 'work02')
    const subnet = /10\.144\.\d+/.exec(work02?.metadata.annotations['k8s.ovn.org/node-subnets'] ?? '')?.[0]
    const { stdout } = await lab.exec('work01', ['ping', '-c', '3', '-W', '2', `${subnet}.2`])
    expect(stdout).toMatch(/[123] (packets )?received/)
  })
})

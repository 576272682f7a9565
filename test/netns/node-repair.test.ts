import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostInterfaceName } from '../../src/networks/routed/node/names.ts'
import { ipPools } from '../../src/networks/routed/resources.ts'
import {
  createRoutedCluster,
  eventually,
  type RoutedCluster,
  type RoutedNode,
  succeeds,
  type TestPod,
} from './support/routed-cluster.ts'

let cluster: RoutedCluster
let work01: RoutedNode
let pod: TestPod
let address: string
let far: { pod: TestPod; address: string; address6: string }
let hostName: string

beforeAll(async () => {
  const addresses = { work01: '192.168.100.101', work02: '192.168.100.102' }
  cluster = await createRoutedCluster(addresses, { ipv6PoolCidr: 'fd00:10:244::/64' })
  work01 = cluster.nodes[0] as RoutedNode
  const work02 = cluster.nodes[1] as RoutedNode
  const spec = { vxlanMode: 'Always' }
  await cluster.kube.patch(ipPools, 'default-ipv4-ippool', { type: 'merge', body: { spec } })
  pod = await cluster.createPod('one')
  address = (await cluster.attach(work01, pod)).address
  const farPod = await cluster.createPod('far')
  const { result, address: farAddress } = await cluster.attach(work02, farPod)
  far = { pod: farPod, address: farAddress, address6: result.ips[1]?.address.split('/')[0] ?? '' }
  hostName = hostInterfaceName(pod.request.pod, 'eth0')
  await eventually('the tunnel', () => pod.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address))
})

afterAll(() => cluster?.stop())

interface Damage {
  readonly what: string
  /** Which count goes up. */
  readonly counts: 'interface' | 'forwarding' | 'nftables' | 'tunnel'
  damage(): Promise<unknown>
  /** Throws while it is not as it was. */
  isRight(): Promise<void>
}

const sysctl = (key: string) => `/proc/sys/net/ipv4/conf/${hostName}/${key}`

function setting(key: string, wrong: string, right: string): Damage {
  return {
    what: `the setting ${key} of a pod's host end is changed`,
    counts: 'interface',
    damage: () => work01.exec('sh', '-c', `echo ${wrong} > ${sysctl(key)}`),
    isRight: async () => expect((await work01.exec('cat', sysctl(key))).trim()).toBe(right),
  }
}

/** What the node has put right so far, by what it was. */
async function repairs(): Promise<Record<string, number>> {
  const gauges = (await work01.nodeSide.gauges?.()) ?? []
  const values = gauges.find(({ name }) => name === 'twinlane_routed_repairs')?.values ?? []
  return Object.fromEntries(values.map(({ labels, value }) => [labels.what, value]))
}

async function farEnd(): Promise<string> {
  const line = (await work01.ip('neighbor', 'show', 'dev', 'vxlan.calico')).trim()
  return line.split(' ')[0] ?? ''
}

/** Everybody may add a line. */
const damages: readonly Damage[] = [
  {
    what: 'the route to a pod is deleted',
    counts: 'interface',
    damage: () => work01.ip('route', 'del', address),
    isRight: async () => expect(await work01.ip('route', 'show', address)).toContain(`dev ${hostName} scope link`),
  },
  {
    what: 'a route to a foreign address is led into a pod',
    counts: 'interface',
    damage: () => work01.ip('route', 'add', '203.0.113.9', 'dev', hostName),
    isRight: async () => expect(await work01.ip('route', 'show', '203.0.113.9')).toBe(''),
  },
  {
    what: "a pod's host end is set down",
    counts: 'interface',
    damage: () => work01.ip('link', 'set', hostName, 'down'),
    isRight: async () => expect(await work01.ip('route', 'show', address)).toContain(hostName),
  },
  {
    what: "the MAC address of a pod's host end is changed",
    counts: 'interface',
    damage: () => work01.ip('link', 'set', hostName, 'address', '02:00:00:00:00:01'),
    isRight: async () => expect(await work01.ip('link', 'show', hostName)).toContain('ee:ee:ee:ee:ee:ee'),
  },
  setting('proxy_arp', '0', '1'),
  setting('forwarding', '0', '1'),
  setting('rp_filter', '0', '1'),
  ...(['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'] as const).map(
    (key): Damage => ({
      what: `the whole host is told not to forward by ${key}`,
      counts: 'forwarding',
      damage: () => work01.exec('sysctl', '-qw', `${key}=0`),
      isRight: async () => {
        expect((await work01.exec('sysctl', '-n', key)).trim()).toBe('1')
        await pod.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address)
        await pod.exec('busybox', 'ping', '-6', '-c', '1', '-W', '1', far.address6)
      },
    }),
  ),
  ...(['forwarding', 'proxy_ndp'] as const).map(
    (key): Damage => ({
      what: `the IPv6 setting ${key} of a pod's host end is changed`,
      counts: 'interface',
      damage: () => work01.exec('sh', '-c', `echo 0 > /proc/sys/net/ipv6/conf/${hostName}/${key}`),
      isRight: async () =>
        expect((await work01.exec('cat', `/proc/sys/net/ipv6/conf/${hostName}/${key}`)).trim()).toBe('1'),
    }),
  ),
  {
    what: "the gateway's address of a pod's host end is deleted",
    counts: 'interface',
    damage: () => work01.ip('address', 'del', 'fe80::ecee:eeff:feee:eeee/64', 'dev', hostName),
    isRight: async () => expect(await work01.ip('address', 'show', 'dev', hostName)).toContain('fe80::ecee'),
  },
  {
    what: 'our table of nftables is deleted',
    counts: 'nftables',
    damage: () => work01.exec('nft', 'delete', 'table', 'inet', 'twinlane-routed'),
    isRight: async () =>
      expect(await work01.exec('nft', 'list', 'table', 'inet', 'twinlane-routed')).toContain('masquerade'),
  },
  {
    what: 'a rule of our table is deleted',
    counts: 'nftables',
    damage: () => work01.exec('nft', 'flush', 'chain', 'inet', 'twinlane-routed', 'outgoing'),
    isRight: async () =>
      expect(await work01.exec('nft', 'list', 'chain', 'inet', 'twinlane-routed', 'outgoing')).toContain('masquerade'),
  },
  ...(['inet', 'arp'] as const).flatMap((family): Damage[] => {
    const isRight = async (): Promise<void> => {
      const table = await work01.exec('nft', 'list', 'table', family, 'twinlane-senders')
      expect(table).toMatch(new RegExp(`"${hostName}" \\. .*${address}`))
      expect(table).toContain('drop')
    }
    return [
      {
        what: `the table of what pods may send is deleted (${family})`,
        counts: 'nftables',
        damage: () => work01.exec('nft', 'delete', 'table', family, 'twinlane-senders'),
        isRight,
      },
      {
        what: `a rule of the table of what pods may send is deleted (${family})`,
        counts: 'nftables',
        damage: () => work01.exec('nft', 'flush', 'chain', family, 'twinlane-senders', 'senders'),
        isRight,
      },
      {
        what: `a pod is no longer allowed to send (${family})`,
        counts: 'nftables',
        damage: () =>
          work01.exec('nft', 'flush', 'set', family, 'twinlane-senders', family === 'arp' ? 'claims' : 'sources4'),
        isRight,
      },
    ]
  }),
  {
    what: 'a pod is allowed to send as another',
    counts: 'nftables',
    damage: async () => {
      const element = `{ ${hostName} . 02:00:00:00:00:66 . 10.9.9.9 }`
      await work01.exec('nft', 'add', 'element', 'inet', 'twinlane-senders', 'sources4', element)
      // The kernel's word about added elements is not heard; that about a deleted one is.
      await work01.exec('nft', 'delete', 'element', 'arp', 'twinlane-senders', 'known', `{ ${hostName} }`)
    },
    isRight: async () => {
      expect(await work01.exec('nft', 'list', 'set', 'inet', 'twinlane-senders', 'sources4')).not.toContain('10.9.9.9')
      expect(await work01.exec('nft', 'list', 'set', 'arp', 'twinlane-senders', 'known')).toContain(hostName)
    },
  },
  {
    what: 'an element of a set of our table is deleted',
    counts: 'nftables',
    damage: () =>
      work01.exec('nft', 'delete', 'element', 'inet', 'twinlane-routed', 'masqueraded', '{ 10.244.0.0/16 }'),
    isRight: async () =>
      expect(await work01.exec('nft', 'list', 'set', 'inet', 'twinlane-routed', 'masqueraded')).toContain('10.244'),
  },
  {
    what: 'all of nftables is flushed',
    counts: 'nftables',
    damage: () => work01.exec('nft', 'flush', 'ruleset'),
    isRight: async () => {
      const ruleset = await work01.exec('nft', 'list', 'ruleset')
      for (const table of ['inet twinlane-routed', 'inet twinlane-senders', 'arp twinlane-senders']) {
        expect(ruleset).toContain(`table ${table}`)
      }
    },
  },
  {
    what: 'the VXLAN device is deleted',
    counts: 'tunnel',
    damage: () => work01.ip('link', 'del', 'vxlan.calico'),
    isRight: async () => void (await pod.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address)),
  },
  {
    what: 'the VXLAN device is set down',
    counts: 'tunnel',
    damage: () => work01.ip('link', 'set', 'vxlan.calico', 'down'),
    isRight: async () => expect(await work01.ip('route', 'get', far.address)).toContain('vxlan.calico'),
  },
  {
    what: 'a forwarding entry of the VXLAN device is deleted',
    counts: 'tunnel',
    damage: async () => {
      const mac = (await work01.exec('bridge', 'fdb', 'show', 'dev', 'vxlan.calico')).split(' ')[0] ?? ''
      await work01.exec('bridge', 'fdb', 'del', mac, 'dev', 'vxlan.calico')
    },
    isRight: async () =>
      expect(await work01.exec('bridge', 'fdb', 'show', 'dev', 'vxlan.calico')).toContain('dst 192.168.100.102'),
  },
  {
    what: 'a neighbour on the VXLAN device is deleted',
    counts: 'tunnel',
    damage: async () => work01.ip('neighbor', 'del', await farEnd(), 'dev', 'vxlan.calico'),
    isRight: async () => expect(await work01.ip('neighbor', 'show', 'dev', 'vxlan.calico')).toContain('PERMANENT'),
  },
  {
    what: 'a neighbour on the VXLAN device gets another MAC address',
    counts: 'tunnel',
    damage: async () =>
      work01.ip('neighbor', 'replace', await farEnd(), 'lladdr', '02:00:00:00:00:09', 'dev', 'vxlan.calico'),
    isRight: async () => {
      expect(await work01.ip('neighbor', 'show', 'dev', 'vxlan.calico')).toMatch(/lladdr 66:.*PERMANENT/)
    },
  },
  {
    what: 'a route through the tunnel is deleted',
    counts: 'tunnel',
    damage: () => work01.ip('route', 'flush', 'proto', '80'),
    isRight: async () => expect(await work01.ip('route', 'get', far.address)).toContain('vxlan.calico'),
  },
]

describe('what somebody else changes on a node is as it was at once', () => {
  it.each(damages.map((each) => [each.what, each] as const))('%s', async (_, { damage, isRight, counts }) => {
    await isRight()
    const before = (await repairs())[counts] ?? 0
    await damage()
    await eventually('the repair', isRight)
    await eventually('the count', async () => expect((await repairs())[counts]).toBeGreaterThan(before))
  })

  it('traffic flows after all that, and nothing is repaired that was not damaged', async () => {
    await eventually('everything', () => pod.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address))
    const before = await repairs()
    const other = await cluster.createPod('other')
    const { address: gone } = await cluster.attach(work01, other)
    const senders = () => work01.exec('nft', 'list', 'table', 'inet', 'twinlane-senders')
    expect(await senders()).toContain(gone)
    await work01.nodeSide.detach(other.request, AbortSignal.timeout(5000))
    await eventually('the senders without it', async () => expect(await senders()).not.toContain(gone))
    await cluster.kube.patch(ipPools, 'default-ipv4-ippool', { type: 'merge', body: { spec: { natOutgoing: false } } })
    await eventually('the new table', async () => {
      const set = await work01.exec('nft', 'list', 'set', 'inet', 'twinlane-routed', 'masqueraded')
      expect(set).not.toContain('10.244')
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await repairs()).toEqual(before)
  })

  it('a pod that is made at the moment when all of nftables is flushed has its network, and is in the tables', async () => {
    for (const number of [1, 2, 3, 4, 5]) {
      const unlucky = await cluster.createPod(`unlucky${number}`)
      await work01.exec('nft', 'flush', 'ruleset')
      const { address: own } = await cluster.attach(work01, unlucky)
      await eventually('its senders', async () =>
        expect(await work01.exec('nft', 'list', 'table', 'inet', 'twinlane-senders')).toContain(` ${own}`),
      )
      await unlucky.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address)
    }
  })

  it('leaves alone what is not ours', async () => {
    await work01.ip('route', 'add', '198.51.100.0/24', 'via', '192.168.100.102', 'proto', 'static')
    await work01.exec('nft', 'add', 'table', 'inet', 'theirs')
    await work01.ip('link', 'add', 'cali-theirs', 'type', 'veth', 'peer', 'name', 'theirs1')
    await work01.ip('route', 'del', address)
    await eventually('a repair of ours', async () =>
      expect(await work01.ip('route', 'show', address)).toContain(hostName),
    )
    expect(await work01.ip('route', 'show', '198.51.100.0/24')).toContain('192.168.100.102')
    expect(await work01.exec('nft', 'list', 'tables')).toContain('theirs')
    expect(await succeeds(work01.ip('link', 'show', 'cali-theirs'))).toBe(true)
  })
})

describe('an agent that starts', () => {
  it('removes what an ADD that was killed has left, and nothing of others', async () => {
    const made = 'cali0123456789a'
    await work01.restart(async () => {
      await work01.ip('link', 'add', made, 'type', 'veth', 'peer', 'name', 'half0')
      await work01.ip('link', 'add', 'calico-theirs', 'type', 'veth', 'peer', 'name', 'theirs2')
      await work01.ip('link', 'add', 'califfffffffff0', 'type', 'veth', 'peer', 'name', 'theirs3')
      await work01.ip('link', 'set', 'califfffffffff0', 'up')
    })
    expect(await succeeds(work01.ip('link', 'show', made))).toBe(false)
    for (const name of ['calico-theirs', 'califfffffffff0', hostName]) {
      expect(await succeeds(work01.ip('link', 'show', name))).toBe(true)
    }
    expect(await repairs()).toEqual({ stray: 1 })
  })

  it('removes the interface of a pod whose address IPAM has given to another', async () => {
    const old = await cluster.createPod('old')
    const taken = (await cluster.attach(work01, old)).address
    const oldName = hostInterfaceName(old.request.pod, 'eth0')
    const alias = `twinlane-routed c-gone eth0 ${taken}`
    await work01.restart(async () => {
      await work01.ip('link', 'add', 'caliaaaaaaaaaa0', 'type', 'veth', 'peer', 'name', 'gone0')
      await work01.ip('link', 'set', 'caliaaaaaaaaaa0', 'up', 'alias', alias)
    })
    expect(await succeeds(work01.ip('link', 'show', 'caliaaaaaaaaaa0'))).toBe(false)
    expect(await work01.ip('route', 'show', taken)).toContain(oldName)
  })

  it('puts right what was changed while there was none', async () => {
    await work01.restart(async () => {
      await work01.ip('route', 'del', address)
      await work01.exec('nft', 'delete', 'table', 'inet', 'twinlane-routed')
      await work01.ip('link', 'del', 'vxlan.calico')
    })
    await pod.exec('busybox', 'ping', '-c', '1', '-W', '1', '192.168.100.101')
    await eventually('the tunnel', () => pod.exec('busybox', 'ping', '-c', '1', '-W', '1', far.address))
    expect(await work01.exec('nft', 'list', 'table', 'inet', 'twinlane-routed')).toContain('masquerade')
  })
})

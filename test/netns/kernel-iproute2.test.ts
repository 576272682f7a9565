import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { Kernel, Operation } from '../../src/kernel/kernel.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { ip, ipJson, makeNetns, removeNetns } from '../support/netns.ts'

/** What we make must look to iproute2, nft and ethtool as if they had made it; what they make we must read. */
describe('the kernel as iproute2 sees it', () => {
  let kernel: Kernel
  let host: string
  let pod: string

  beforeAll(() => {
    kernel = createKernel()
  })
  afterAll(() => kernel.close())
  beforeEach(async () => {
    host = await makeNetns()
    pod = await makeNetns()
  })
  afterEach(async () => {
    await removeNetns(pod)
    await removeNetns(host)
  })

  const attachPod = async (): Promise<void> => {
    await kernel.apply(host, [
      { op: 'ensureVeth', name: 'cali0', peer: { name: 'eth0', netns: pod }, isUp: true, group: 77, alias: 'a pod' },
    ])
    await kernel.apply(pod, [
      { op: 'setLink', name: 'lo', isUp: true },
      { op: 'setLink', name: 'eth0', isUp: true },
      { op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24', broadcast: '10.144.0.255' },
    ])
  }
  const printed = async (...args: string[]): Promise<string[]> =>
    (await ip(pod, ...args))
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')

  it('gives a veth one queue at each end, for which the kernel does not have to wait', async () => {
    await attachPod()
    for (const [netns, name] of [
      [host, 'cali0'],
      [pod, 'eth0'],
    ] as const) {
      expect((await ipJson(netns, '-d', 'link', 'show', name))[0]).toMatchObject({ num_tx_queues: 1, num_rx_queues: 1 })
    }
  })

  describe('deletes links of the process’ own namespace', () => {
    const make = (name: string): Promise<void> =>
      kernel.apply(undefined, [{ op: 'ensureVeth', name, peer: { name, netns: pod }, isUp: true }])
    const remove = (name: string): Promise<void> => kernel.apply(undefined, [{ op: 'deleteLink', name }])
    const names = Array.from({ length: 20 }, (_, index) => `twtest${index}`)
    const left = async (netns: string | undefined): Promise<string[]> =>
      (await kernel.links(netns)).map(({ name }) => name).filter((name) => name.startsWith('twtest'))

    it('one after the other, each gone at both ends and its name free when the call resolves', async () => {
      for (let round = 0; round < 20; round++) {
        await make('twtest0')
        await remove('twtest0')
        expect([await left(undefined), await left(pod)]).toEqual([[], []])
      }
    })

    it('all at once, and those that are not there too', async () => {
      await Promise.all(names.map(make))
      await Promise.all([...names, 'twtest-none'].map(remove))
      expect([await left(undefined), await left(pod)]).toEqual([[], []])
    })

    it('while others delete them', async () => {
      await Promise.all(names.map(make))
      await Promise.all([...names.map(remove), ...names.map((name) => ip(pod, 'link', 'del', name).catch(() => ''))])
      expect([await left(undefined), await left(pod)]).toEqual([[], []])
    })

    it('and can be closed while the kernel has not finished', async () => {
      const other = createKernel()
      await other.apply(undefined, [{ op: 'ensureVeth', name: 'twtest0', peer: { name: 'twtest0', netns: pod } }])
      await other.apply(undefined, [{ op: 'deleteLink', name: 'twtest0' }])
      await other.close()
      expect(await left(undefined)).toEqual([])
    })
  })

  it('makes a veth into another namespace with MAC and MTU', async () => {
    await kernel.apply(host, [
      {
        op: 'ensureVeth',
        name: 'cali0',
        peer: { name: 'eth0', netns: pod, mac: '0a:58:0a:90:00:1f', mtuBytes: 1400 },
        mac: 'ee:ee:ee:ee:ee:ee',
        mtuBytes: 1500,
        isUp: true,
        group: 77,
        alias: 'a pod',
      },
    ])
    const [outer] = await ipJson(host, '-d', 'link', 'show', 'cali0')
    const [inner] = await ipJson(pod, '-d', 'link', 'show', 'eth0')
    expect(outer).toMatchObject({ address: 'ee:ee:ee:ee:ee:ee', mtu: 1500, ifalias: 'a pod', group: '77' })
    expect(outer).toMatchObject({ linkinfo: { info_kind: 'veth' }, flags: expect.arrayContaining(['UP']) })
    expect(inner).toMatchObject({ address: '0a:58:0a:90:00:1f', mtu: 1400, link_index: outer?.ifindex })
  })

  it('gives a pod the routes of a routed network: a /32, a gateway on no subnet, a permanent neighbour', async () => {
    await attachPod()
    await kernel.apply(pod, [
      { op: 'ensureAddress', device: 'eth0', address: '10.244.1.2/32' },
      { op: 'ensureRoute', route: { family: 4, destination: '169.254.1.1/32', device: 'eth0' } },
      {
        op: 'ensureRoute',
        route: { family: 4, destination: '0.0.0.0/0', gateway: '169.254.1.1', device: 'eth0', onlink: true },
      },
      {
        op: 'ensureNeighbor',
        neighbor: { family: 4, address: '169.254.1.1', device: 'eth0', mac: 'ee:ee:ee:ee:ee:ee', isPermanent: true },
      },
    ])
    expect(await printed('route')).toEqual([
      'default via 169.254.1.1 dev eth0 onlink',
      '10.144.0.0/24 dev eth0 proto kernel scope link src 10.144.0.31',
      '169.254.1.1 dev eth0 scope link',
    ])
    expect(await printed('neigh')).toContain('169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee PERMANENT')
    const [address] = await ipJson(pod, '-4', 'addr', 'show', 'eth0')
    expect(address?.addr_info).toMatchObject([
      { local: '10.144.0.31', prefixlen: 24, broadcast: '10.144.0.255', scope: 'global' },
      { local: '10.244.1.2', prefixlen: 32, scope: 'global' },
    ])
  })

  const samples: readonly (readonly [what: string, args: string, operation: Operation])[] = [
    [
      'ECMP',
      'route replace 10.1.0.0/24 proto 12 metric 32 nexthop via 10.144.0.1 dev eth0 weight 1 nexthop via 10.144.0.2 dev eth0 weight 3',
      {
        op: 'ensureRoute',
        route: {
          family: 4,
          destination: '10.1.0.0/24',
          protocol: 12,
          metric: 32,
          nextHops: [
            { gateway: '10.144.0.1', device: 'eth0', weight: 1 },
            { gateway: '10.144.0.2', device: 'eth0', weight: 3 },
          ],
        },
      },
    ],
    [
      'ECMP through gateways on no subnet',
      'route replace 10.1.0.0/24 nexthop via 192.0.2.1 dev eth0 onlink nexthop via 192.0.2.2 dev eth0 onlink',
      {
        op: 'ensureRoute',
        route: {
          family: 4,
          destination: '10.1.0.0/24',
          onlink: true,
          nextHops: [
            { gateway: '192.0.2.1', device: 'eth0' },
            { gateway: '192.0.2.2', device: 'eth0' },
          ],
        },
      },
    ],
    [
      'MTU, metric, source and a table above 255',
      'route replace 10.1.0.0/24 dev eth0 proto 80 metric 7 mtu 1350 src 10.144.0.31 table 1000100',
      {
        op: 'ensureRoute',
        route: {
          family: 4,
          destination: '10.1.0.0/24',
          device: 'eth0',
          protocol: 80,
          metric: 7,
          mtuBytes: 1350,
          source: '10.144.0.31',
          table: 1_000_100,
        },
      },
    ],
    [
      'a blackhole',
      'route replace blackhole 10.1.0.0/24 proto 80',
      { op: 'ensureRoute', route: { family: 4, destination: '10.1.0.0/24', type: 'blackhole', protocol: 80 } },
    ],
    [
      'a local route',
      'route replace local 10.1.0.1 dev lo table local',
      {
        op: 'ensureRoute',
        route: { family: 4, destination: '10.1.0.1/32', type: 'local', device: 'lo', table: 255 },
      },
    ],
    [
      'IPv4 by way of an IPv6 router',
      'route replace 10.1.0.0/24 via inet6 fe80::1 dev eth0',
      { op: 'ensureRoute', route: { family: 4, destination: '10.1.0.0/24', gateway: 'fe80::1', device: 'eth0' } },
    ],
    [
      'IPv6',
      '-6 route replace fd01::/64 via fe80::1 dev eth0 metric 5',
      {
        op: 'ensureRoute',
        route: { family: 6, destination: 'fd01::/64', gateway: 'fe80::1', device: 'eth0', metric: 5 },
      },
    ],
    [
      'IPv6 ECMP',
      '-6 route replace default nexthop via fe80::1 dev eth0 nexthop via fe80::2 dev eth0 weight 2',
      {
        op: 'ensureRoute',
        route: {
          family: 6,
          destination: '::/0',
          nextHops: [
            { gateway: 'fe80::1', device: 'eth0' },
            { gateway: 'fe80::2', device: 'eth0', weight: 2 },
          ],
        },
      },
    ],
    [
      'an IPv6 blackhole',
      '-6 route replace blackhole fd01::/64',
      { op: 'ensureRoute', route: { family: 6, destination: 'fd01::/64', type: 'blackhole' } },
    ],
    [
      'a rule with every condition',
      'rule add from 10.244.1.2 to 10.9.0.0/16 iif eth0 fwmark 0x10 priority 1200 table 300 suppress_prefixlength 0 protocol 80',
      {
        op: 'ensureRule',
        rule: {
          family: 4,
          priority: 1200,
          table: 300,
          from: '10.244.1.2/32',
          to: '10.9.0.0/16',
          inputDevice: 'eth0',
          mark: 0x10,
          suppressPrefixLength: 0,
          protocol: 80,
        },
      },
    ],
    [
      'an IPv6 rule',
      '-6 rule add from fd00::/64 priority 1200 table 100',
      { op: 'ensureRule', rule: { family: 6, priority: 1200, table: 100, from: 'fd00::/64' } },
    ],
    [
      'a permanent neighbour',
      'neigh replace 10.144.0.1 lladdr 0a:58:0a:90:00:01 dev eth0 nud permanent',
      {
        op: 'ensureNeighbor',
        neighbor: {
          family: 4,
          address: '10.144.0.1',
          device: 'eth0',
          mac: '0a:58:0a:90:00:01',
          isPermanent: true,
        },
      },
    ],
    [
      'an IPv6 address',
      '-6 addr add fd00::5/64 dev eth0 nodad',
      { op: 'ensureAddress', device: 'eth0', address: 'fd00::5/64' },
    ],
  ]

  const state = async (): Promise<unknown> => ({
    routes: await ipJson(pod, 'route', 'show', 'table', 'all'),
    routes6: await ipJson(pod, '-6', 'route', 'show', 'table', 'all'),
    rules: await ipJson(pod, 'rule'),
    rules6: await ipJson(pod, '-6', 'rule'),
    neighbors: (await ipJson(pod, 'neigh')).filter((each) => !String(each.dst).startsWith('f')),
    addresses: (await ipJson(pod, 'addr', 'show', 'eth0')).map((each) =>
      (each.addr_info as { local: string; prefixlen: number; nodad?: boolean }[]).map((info) => [
        info.local,
        info.prefixlen,
        info.nodad,
      ]),
    ),
  })
  const undo = (operation: Operation): Operation => {
    switch (operation.op) {
      case 'ensureRoute':
        return { op: 'deleteRoute', route: operation.route }
      case 'ensureRule':
        return { op: 'deleteRule', rule: operation.rule }
      case 'ensureNeighbor':
        return { op: 'deleteNeighbor', neighbor: operation.neighbor }
      case 'ensureAddress':
        return { op: 'deleteAddress', device: operation.device, address: operation.address }
      default:
        throw new Error(operation.op)
    }
  }
  /** Link-local addresses come and settle by themselves; they would change the state under the comparison. */
  const withoutLinkLocal: Operation[] = [
    { op: 'sysctl', key: 'net/ipv6/conf/eth0/addr_gen_mode', value: '1' },
    { op: 'setLink', name: 'eth0', isUp: false },
    { op: 'setLink', name: 'eth0', isUp: true },
    { op: 'ensureAddress', device: 'eth0', address: 'fe80::aa/64', scope: 253 },
  ]

  it.each(samples)('makes, reads and deletes %s as `ip` does', async (_, args, operation) => {
    await attachPod()
    await kernel.apply(pod, withoutLinkLocal)
    const before = await state()
    await ip(pod, ...args.split(' '))
    const byIp = await state()
    expect(byIp).not.toEqual(before)
    await kernel.apply(pod, [operation])
    expect(await state()).toEqual(byIp)
    await kernel.apply(pod, [undo(operation)])
    expect(await state()).toEqual(before)
    await kernel.apply(pod, [operation])
    expect(await state()).toEqual(byIp)
  })

  it('replaces the default route that somebody else made, and an ECMP one, and an IPv6 one', async () => {
    await attachPod()
    await kernel.apply(pod, withoutLinkLocal)
    await ip(pod, 'route', 'add', 'default', 'via', '10.144.0.1')
    await kernel.apply(pod, [
      { op: 'ensureRoute', route: { family: 4, destination: '0.0.0.0/0', gateway: '10.144.0.2', device: 'eth0' } },
    ])
    expect(await printed('route', 'show', 'default')).toEqual(['default via 10.144.0.2 dev eth0'])
    await ip(
      pod,
      '-6',
      'route',
      'add',
      'default',
      'nexthop',
      'via',
      'fe80::1',
      'dev',
      'eth0',
      'nexthop',
      'via',
      'fe80::2',
      'dev',
      'eth0',
    )
    const direct: Operation = { op: 'ensureRoute', route: { family: 6, destination: '::/0', device: 'eth0' } }
    const viaRouter: Operation = {
      op: 'ensureRoute',
      route: { family: 6, destination: '::/0', gateway: 'fe80::3', device: 'eth0' },
    }
    await kernel.apply(pod, [viaRouter])
    expect(await printed('-6', 'route', 'show', 'default')).toEqual([
      'default via fe80::3 dev eth0 metric 1024 pref medium',
    ])
    await kernel.apply(pod, [direct])
    expect(await printed('-6', 'route', 'show', 'default')).toEqual(['default dev eth0 metric 1024 pref medium'])
    await kernel.apply(pod, [viaRouter])
    expect(await printed('-6', 'route', 'show', 'default')).toEqual([
      'default via fe80::3 dev eth0 metric 1024 pref medium',
    ])
  })

  it('turns checksum offload off as ethtool does', async () => {
    const features = async (netns: string, device: string): Promise<string> =>
      (await exec('nsenter', [`--net=${netns}`, 'ethtool', '-k', device])).stdout.replace(/^.*\n/, '')
    await attachPod()
    await exec('nsenter', [`--net=${host}`, 'ethtool', '-K', 'cali0', 'tx', 'off'])
    const before = await features(pod, 'eth0')
    await kernel.apply(pod, [{ op: 'checksumOffload', device: 'eth0', isOn: false }])
    expect(await features(pod, 'eth0')).toBe(await features(host, 'cali0'))
    await kernel.apply(pod, [{ op: 'checksumOffload', device: 'eth0', isOn: true }])
    expect(await features(pod, 'eth0')).toBe(before)
  })

  it('reads a table of a thousand routes whole', async () => {
    await attachPod()
    const batch = Array.from(
      { length: 1000 },
      (_, at) => `route add 10.${100 + (at >> 8)}.${at & 255}.0/24 dev eth0 proto 80`,
    )
    await exec('nsenter', [`--net=${pod}`, 'ip', '-batch', '-'], { input: batch.join('\n') })
    const found = await kernel.routes(pod, { protocol: 80 })
    expect(new Set(found.map((route) => route.destination)).size).toBe(1000)
  })
})

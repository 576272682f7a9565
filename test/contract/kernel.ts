import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Kernel, KernelEvent, NftChange, Operation, Route } from '../../src/kernel/kernel.ts'

/** How the contract suite gets at an implementation. */
export interface KernelUnderTest {
  readonly kernel: Kernel
  makeNetns(): Promise<string>
  removeNetns(path: string): Promise<void>
  close(): Promise<void>
}

const GATEWAY_MAC = 'ee:ee:ee:ee:ee:ee'

/** What every implementation of `Kernel` promises. */
export function kernelContract(name: string, create: () => Promise<KernelUnderTest>): void {
  describe(`the kernel contract: ${name}`, () => {
    let under: KernelUnderTest
    let kernel: Kernel
    let host: string
    let pod: string

    beforeAll(async () => {
      under = await create()
      kernel = under.kernel
    })
    afterAll(() => under.close())
    beforeEach(async () => {
      host = await under.makeNetns()
      pod = await under.makeNetns()
    })
    afterEach(async () => {
      await under.removeNetns(pod)
      await under.removeNetns(host)
    })

    const veth = (): Operation => ({
      op: 'ensureVeth',
      name: 'veth0',
      peer: { name: 'eth0', netns: pod, mac: '0a:58:0a:f4:01:02', mtuBytes: 1400 },
      mac: GATEWAY_MAC,
      mtuBytes: 1450,
      isUp: true,
      group: 77,
      alias: 'default/busybox3/eth0',
    })
    const podUp = async (): Promise<void> => {
      await kernel.apply(host, [veth()])
      await kernel.apply(pod, [
        { op: 'setLink', name: 'lo', isUp: true },
        { op: 'setLink', name: 'eth0', isUp: true },
      ])
    }
    const podRoutes = async (options: Parameters<Kernel['routes']>[1] = {}): Promise<Route[]> =>
      (await kernel.routes(pod, options)).filter((route) => !route.destination.startsWith('fe80'))
    const ensureRoute = (route: Route): Promise<void> => kernel.apply(pod, [{ op: 'ensureRoute', route }])

    describe('links', () => {
      it('makes a veth pair whose ends have the wanted names, MACs and MTUs', async () => {
        await kernel.apply(host, [veth()])
        const [outer, inner] = [await kernel.findLink(host, 'veth0'), await kernel.findLink(pod, 'eth0')]
        expect(outer).toMatchObject({ kind: 'veth', mac: GATEWAY_MAC, mtuBytes: 1450, isUp: true, group: 77 })
        expect(outer?.alias).toBe('default/busybox3/eth0')
        expect(inner).toMatchObject({ kind: 'veth', mac: '0a:58:0a:f4:01:02', mtuBytes: 1400, isUp: false })
        expect(outer?.linkIndex).toBe(inner?.index)
        expect(inner?.linkIndex).toBe(outer?.index)
      })

      it('keeps a pair that is as wanted, and changes only what differs', async () => {
        await podUp()
        const before = await kernel.findLink(host, 'veth0')
        await kernel.apply(host, [veth(), { ...veth(), mtuBytes: 1430, alias: 'other' } as Operation])
        const after = await kernel.findLink(host, 'veth0')
        expect(after).toEqual({ ...before, mtuBytes: 1430, alias: 'other' })
        expect((await kernel.findLink(pod, 'eth0'))?.isUp).toBe(true)
      })

      it('replaces a veth whose other end is somewhere else', async () => {
        const other = await under.makeNetns()
        await kernel.apply(host, [{ op: 'ensureVeth', name: 'veth0', peer: { name: 'eth0', netns: other } }, veth()])
        expect(await kernel.findLink(other, 'eth0')).toBeUndefined()
        expect(await kernel.findLink(pod, 'eth0')).toBeDefined()
        await under.removeNetns(other)
      })

      it('does not take over a device of another kind', async () => {
        await kernel.apply(host, [{ op: 'ensureBridge', name: 'veth0' }])
        await expect(kernel.apply(host, [veth()])).rejects.toMatchObject({ code: 'EEXIST' })
      })

      it('says which name is taken when the peer cannot be made', async () => {
        await kernel.apply(pod, [{ op: 'ensureBridge', name: 'eth0' }])
        await expect(kernel.apply(host, [veth()])).rejects.toThrow(/eth0 is taken/)
        expect(await kernel.findLink(host, 'veth0')).toBeUndefined()
      })

      it('makes a pair within one namespace, and twice', async () => {
        const pair: Operation = { op: 'ensureVeth', name: 'a', peer: { name: 'b', netns: host } }
        await kernel.apply(host, [pair, pair])
        expect((await kernel.links(host)).map((link) => link.name).sort()).toEqual(['a', 'b', 'lo'])
      })

      it('puts a link into a bridge and takes it out', async () => {
        await kernel.apply(host, [veth(), { op: 'ensureBridge', name: 'br0', isUp: true, mtuBytes: 1450 }])
        await kernel.apply(host, [{ op: 'setLink', name: 'veth0', master: 'br0' }])
        const bridge = await kernel.findLink(host, 'br0')
        expect(bridge).toMatchObject({ kind: 'bridge', isUp: true })
        expect((await kernel.findLink(host, 'veth0'))?.masterIndex).toBe(bridge?.index)
        await kernel.apply(host, [{ op: 'setLink', name: 'veth0', master: null }])
        expect((await kernel.findLink(host, 'veth0'))?.masterIndex).toBeUndefined()
      })

      it('renames, moves and sets up a link at once', async () => {
        await kernel.apply(host, [
          { op: 'ensureVeth', name: 'tmp0', peer: { name: 'tmp1', netns: host }, isUp: true },
          { op: 'setLink', name: 'tmp1', moveTo: pod, newName: 'eth0', isUp: true, mtuBytes: 1300 },
        ])
        expect(await kernel.findLink(host, 'tmp1')).toBeUndefined()
        expect(await kernel.findLink(pod, 'eth0')).toMatchObject({ isUp: true, mtuBytes: 1300 })
        await kernel.apply(pod, [{ op: 'setLink', name: 'eth0', newName: 'net1' }])
        expect(await kernel.findLink(pod, 'net1')).toMatchObject({ isUp: true })
      })

      it('deletes both ends of a pair; deleting again succeeds', async () => {
        await kernel.apply(host, [veth()])
        await kernel.apply(host, [{ op: 'deleteLink', name: 'veth0' }])
        await kernel.apply(host, [{ op: 'deleteLink', name: 'veth0' }])
        expect(await kernel.findLink(pod, 'eth0')).toBeUndefined()
      })

      it('carries out batches for several namespaces in order, up to the first failure', async () => {
        await kernel.applyEach([
          { netns: host, operations: [veth()] },
          { netns: pod, operations: [{ op: 'setLink', name: 'eth0', isUp: true }] },
        ])
        expect(await kernel.findLink(pod, 'eth0')).toMatchObject({ isUp: true })
        const failing = kernel.applyEach([
          { netns: pod, operations: [{ op: 'setLink', name: 'none', isUp: true }] },
          { netns: host, operations: [{ op: 'deleteLink', name: 'veth0' }] },
        ])
        await expect(failing).rejects.toMatchObject({ code: 'ENODEV' })
        expect(await kernel.findLink(host, 'veth0')).toBeDefined()
      })

      it('deletes the links of a group and no others; an empty group succeeds', async () => {
        await kernel.apply(host, [
          veth(),
          { op: 'ensureVeth', name: 'veth1', peer: { name: 'eth1', netns: pod }, group: 77 },
          { op: 'ensureVeth', name: 'veth2', peer: { name: 'eth2', netns: pod }, group: 78 },
          { op: 'deleteLinkGroup', group: 77 },
          { op: 'deleteLinkGroup', group: 77 },
        ])
        expect((await kernel.links(host)).map((link) => link.name).sort()).toEqual(['lo', 'veth2'])
      })

      it('refuses to delete group 0, which holds everybody', async () => {
        await expect(kernel.apply(host, [{ op: 'deleteLinkGroup', group: 0 }])).rejects.toMatchObject({
          code: 'EINVAL',
        })
      })
    })

    describe('addresses', () => {
      beforeEach(podUp)

      it('adds an address once, with its broadcast and connected route', async () => {
        const add: Operation = {
          op: 'ensureAddress',
          device: 'eth0',
          address: '10.144.0.31/24',
          broadcast: '10.144.0.255',
        }
        await kernel.apply(pod, [add, add])
        const found = (await kernel.addresses(pod, 'eth0')).filter((each) => each.family === 4)
        expect(found).toEqual([
          expect.objectContaining({ address: '10.144.0.31', prefixLength: 24, broadcast: '10.144.0.255', scope: 0 }),
        ])
        expect(await podRoutes()).toEqual([
          {
            family: 4,
            destination: '10.144.0.0/24',
            table: 254,
            protocol: 2,
            scope: 253,
            type: 'unicast',
            source: '10.144.0.31',
            device: 'eth0',
          },
        ])
      })

      it('corrects the broadcast of an address that is there', async () => {
        await kernel.apply(pod, [
          { op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24' },
          { op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24', broadcast: '10.144.0.255' },
        ])
        const found = (await kernel.addresses(pod, 'eth0')).filter((each) => each.family === 4)
        expect(found.map((each) => each.broadcast)).toEqual(['10.144.0.255'])
      })

      it('takes an address without a length for a host', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: '10.244.1.2' }])
        expect(await kernel.addresses(pod, 'eth0')).toContainEqual(
          expect.objectContaining({ address: '10.244.1.2', prefixLength: 32 }),
        )
      })

      it('deletes an address with its routes; deleting again, or on no device, succeeds', async () => {
        const remove: Operation = { op: 'deleteAddress', device: 'eth0', address: '10.144.0.31/24' }
        await kernel.apply(pod, [
          { op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24' },
          remove,
          remove,
          { op: 'deleteAddress', device: 'none0', address: '10.144.0.31/24' },
        ])
        expect((await kernel.addresses(pod, 'eth0')).filter((each) => each.family === 4)).toEqual([])
        expect(await podRoutes()).toEqual([])
      })

      it('adds and deletes IPv6 addresses', async () => {
        const address = 'fd00:10:244::5/64'
        await kernel.apply(pod, [
          { op: 'ensureAddress', device: 'eth0', address },
          { op: 'ensureAddress', device: 'eth0', address },
        ])
        expect(await kernel.addresses(pod, 'eth0')).toContainEqual(
          expect.objectContaining({ family: 6, address: 'fd00:10:244::5', prefixLength: 64 }),
        )
        expect((await podRoutes()).map((route) => [route.destination, route.protocol])).toEqual([
          ['fd00:10:244::/64', 2],
        ])
        await kernel.apply(pod, [{ op: 'deleteAddress', device: 'eth0', address }])
        expect(await podRoutes()).toEqual([])
      })

      it('names the device that is missing', async () => {
        const add: Operation = { op: 'ensureAddress', device: 'eth7', address: '10.0.0.1/24' }
        const error = await kernel.apply(pod, [add]).catch((caught: unknown) => caught)
        expect(error).toMatchObject({ name: 'KernelError', code: 'ENODEV' })
        expect((error as Error).message).toContain(`ensureAddress 10.0.0.1/24 on eth7 in ${pod}`)
      })
    })

    describe('routes', () => {
      const gateway: Route = { family: 4, destination: '169.254.1.1/32', device: 'eth0' }
      const byGateway: Route = {
        family: 4,
        destination: '0.0.0.0/0',
        gateway: '169.254.1.1',
        device: 'eth0',
        onlink: true,
      }
      beforeEach(podUp)

      it('routes through a link-local gateway that is on no subnet', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: '10.244.1.2/32' }])
        await ensureRoute(gateway)
        await ensureRoute(byGateway)
        expect(await podRoutes()).toEqual(
          expect.arrayContaining([
            { ...gateway, table: 254, protocol: 3, scope: 253, type: 'unicast' },
            { ...byGateway, table: 254, protocol: 3, scope: 0, type: 'unicast' },
          ]),
        )
      })

      it('really replaces the default route', async () => {
        await ensureRoute(byGateway)
        await ensureRoute({ ...byGateway, gateway: '169.254.1.9', protocol: 99 })
        await ensureRoute({ family: 4, destination: '0.0.0.0/0', type: 'blackhole', metric: 500 })
        const defaults = (await podRoutes()).filter((route) => route.destination === '0.0.0.0/0')
        expect(defaults.map((route) => [route.gateway, route.type, route.metric, route.protocol])).toEqual([
          ['169.254.1.9', 'unicast', undefined, 99],
          [undefined, 'blackhole', 500, 3],
        ])
      })

      it("refuses a gateway that is on no subnet, with the kernel's words", async () => {
        const route: Route = { family: 4, destination: '0.0.0.0/0', gateway: '192.0.2.1', device: 'eth0' }
        await expect(ensureRoute(route)).rejects.toMatchObject({
          code: 'ENETUNREACH',
          text: 'Nexthop has invalid gateway',
        })
      })

      it('finds the device of a gateway on a connected subnet', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24' }])
        await ensureRoute({ family: 4, destination: '10.96.0.0/16', gateway: '10.144.0.1' })
        expect(await podRoutes()).toContainEqual(
          expect.objectContaining({ destination: '10.96.0.0/16', gateway: '10.144.0.1', device: 'eth0' }),
        )
      })

      it('refuses a route through a device that is down', async () => {
        await kernel.apply(pod, [{ op: 'setLink', name: 'eth0', isUp: false }])
        await expect(ensureRoute(gateway)).rejects.toMatchObject({ code: 'ENETDOWN' })
      })

      it('keeps ECMP next hops with their weights, and replaces them', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24' }])
        const nextHops = [
          { gateway: '10.144.0.1', device: 'eth0', weight: 1 },
          { gateway: '10.144.0.2', device: 'eth0', weight: 3 },
        ]
        const route: Route = { family: 4, destination: '10.244.9.0/24', nextHops, protocol: 12, metric: 32 }
        await ensureRoute(route)
        await ensureRoute(route)
        expect(await podRoutes({ protocol: 12 })).toEqual([{ ...route, table: 254, scope: 0, type: 'unicast' }])
        await ensureRoute({ family: 4, destination: '10.244.9.0/24', gateway: '10.144.0.2', metric: 32, protocol: 12 })
        expect((await podRoutes({ protocol: 12 })).map((each) => [each.gateway, each.nextHops])).toEqual([
          ['10.144.0.2', undefined],
        ])
      })

      it('keeps tables apart, also ones above 255', async () => {
        await ensureRoute({ ...gateway, table: 100 })
        await ensureRoute({ ...gateway, table: 1_000_100, source: undefined })
        expect(await podRoutes()).toEqual([])
        expect(await podRoutes({ table: 100 })).toHaveLength(1)
        expect(await podRoutes({ table: 1_000_100 })).toMatchObject([{ table: 1_000_100, device: 'eth0' }])
        expect(await podRoutes({ table: 4711 })).toEqual([])
      })

      it('filters by family, protocol and device', async () => {
        await ensureRoute({ ...gateway, protocol: 80 })
        expect(await podRoutes({ protocol: 80 })).toHaveLength(1)
        expect(await podRoutes({ protocol: 81 })).toEqual([])
        expect(await podRoutes({ family: 6 })).toEqual([])
        expect(await podRoutes({ device: 'eth0' })).toHaveLength(1)
        expect(await podRoutes({ device: 'lo' })).toEqual([])
      })

      it('carries metric, MTU and preferred source', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: '10.244.1.2/32' }])
        const route: Route = { ...gateway, metric: 7, mtuBytes: 1350, source: '10.244.1.2' }
        await ensureRoute(route)
        expect(await podRoutes()).toEqual([{ ...route, table: 254, protocol: 3, scope: 253, type: 'unicast' }])
      })

      it('deletes a route; what is not there is no error', async () => {
        await ensureRoute(gateway)
        const remove = (route: Route): Operation => ({ op: 'deleteRoute', route })
        await kernel.apply(pod, [
          remove({ ...gateway, protocol: 99 }),
          remove({ ...gateway, device: 'none0' }),
          remove({ ...gateway, table: 4711 }),
        ])
        expect(await podRoutes()).toHaveLength(1)
        await kernel.apply(pod, [remove(gateway), remove(gateway)])
        expect(await podRoutes()).toEqual([])
      })

      it('makes and deletes blackhole routes', async () => {
        const route: Route = { family: 4, destination: '10.244.1.0/24', type: 'blackhole', protocol: 80 }
        await ensureRoute(route)
        await ensureRoute(route)
        expect(await podRoutes()).toEqual([{ ...route, table: 254, scope: 0 }])
        await kernel.apply(pod, [{ op: 'deleteRoute', route }])
        expect(await podRoutes()).toEqual([])
      })

      it('routes IPv6, replaces its default route, and knows its blackholes', async () => {
        await kernel.apply(pod, [{ op: 'ensureAddress', device: 'eth0', address: 'fd00::5/64' }])
        const route: Route = { family: 6, destination: '::/0', gateway: 'fd00::1', device: 'eth0' }
        await ensureRoute(route)
        await ensureRoute({ ...route, gateway: 'fd00::2' })
        await ensureRoute({ family: 6, destination: 'fd01::/64', type: 'blackhole' })
        const found = (await podRoutes({ family: 6 })).filter((each) => each.protocol !== 2)
        expect(found).toEqual(
          expect.arrayContaining([
            { ...route, gateway: 'fd00::2', table: 254, protocol: 3, scope: 0, type: 'unicast', metric: 1024 },
            {
              family: 6,
              destination: 'fd01::/64',
              table: 254,
              protocol: 3,
              scope: 0,
              type: 'blackhole',
              metric: 1024,
            },
          ]),
        )
        expect(found).toHaveLength(2)
      })

      it('drops the routes of a device that goes away', async () => {
        await ensureRoute(gateway)
        await kernel.apply(host, [{ op: 'deleteLink', name: 'veth0' }])
        expect(await podRoutes()).toEqual([])
      })
    })

    describe('rules', () => {
      const rule = {
        family: 4,
        priority: 1200,
        table: 300,
        from: '10.244.1.2/32',
        inputDevice: 'eth0',
        mark: 0x10,
        suppressPrefixLength: 0,
        protocol: 80,
      } as const

      it('starts with the three rules of every namespace', async () => {
        expect((await kernel.rules(pod, 4)).map((each) => [each.priority, each.table])).toEqual([
          [0, 255],
          [32766, 254],
          [32767, 253],
        ])
      })

      it('adds a rule once and gives it back as it is', async () => {
        await kernel.apply(pod, [
          { op: 'ensureRule', rule },
          { op: 'ensureRule', rule },
        ])
        expect((await kernel.rules(pod, 4)).filter((each) => each.priority === 1200)).toEqual([rule])
      })

      it('takes a prefix without length, and one that means any', async () => {
        await kernel.apply(pod, [
          { op: 'ensureRule', rule: { family: 4, priority: 50, table: 254, from: '10.0.0.1', to: '0.0.0.0/0' } },
        ])
        const [found] = (await kernel.rules(pod, 4)).filter((each) => each.priority === 50)
        expect(found).toEqual({ family: 4, priority: 50, table: 254, from: '10.0.0.1/32', protocol: 0 })
      })

      it('deletes exactly the rule that is meant; deleting again succeeds', async () => {
        const plain = { family: 4, priority: 1200, table: 300 } as const
        await kernel.apply(pod, [
          { op: 'ensureRule', rule },
          { op: 'deleteRule', rule: plain },
        ])
        expect((await kernel.rules(pod, 4)).filter((each) => each.priority === 1200)).toHaveLength(1)
        await kernel.apply(pod, [
          { op: 'deleteRule', rule },
          { op: 'deleteRule', rule },
        ])
        expect((await kernel.rules(pod, 4)).filter((each) => each.priority === 1200)).toEqual([])
      })

      it('keeps IPv6 rules apart', async () => {
        const v6 = { family: 6, priority: 1200, table: 300, to: 'fd00::/64' } as const
        await kernel.apply(pod, [{ op: 'ensureRule', rule: v6 }])
        expect((await kernel.rules(pod, 6)).filter((each) => each.priority === 1200)).toEqual([{ ...v6, protocol: 0 }])
        expect((await kernel.rules(pod, 4)).filter((each) => each.priority === 1200)).toEqual([])
      })
    })

    describe('neighbours', () => {
      beforeEach(podUp)

      it('keeps a permanent neighbour and replaces its MAC', async () => {
        const neighbor = { family: 4, address: '169.254.1.1', device: 'eth0', isPermanent: true } as const
        await kernel.apply(pod, [
          { op: 'ensureNeighbor', neighbor: { ...neighbor, mac: '02:00:00:00:00:01' } },
          { op: 'ensureNeighbor', neighbor: { ...neighbor, mac: GATEWAY_MAC.toUpperCase() } },
        ])
        expect(await kernel.neighbors(pod, 'eth0')).toEqual([{ ...neighbor, mac: GATEWAY_MAC, isProxy: false }])
        await kernel.apply(pod, [
          { op: 'deleteNeighbor', neighbor },
          { op: 'deleteNeighbor', neighbor },
          { op: 'deleteNeighbor', neighbor: { ...neighbor, device: 'none0' } },
        ])
        expect((await kernel.neighbors(pod, 'eth0')).filter((each) => each.isPermanent)).toEqual([])
      })

      it('keeps proxy entries', async () => {
        const neighbor = { family: 6, address: 'fd00::1', device: 'eth0', isProxy: true } as const
        await kernel.apply(pod, [{ op: 'ensureNeighbor', neighbor }])
        expect(await kernel.neighbors(pod, 'eth0')).toContainEqual({ ...neighbor, isPermanent: false })
        await kernel.apply(pod, [{ op: 'deleteNeighbor', neighbor }])
        expect(await kernel.neighbors(pod, 'eth0')).not.toContainEqual(expect.objectContaining({ isProxy: true }))
      })
    })

    describe('tunnels', () => {
      const vxlan = {
        op: 'ensureVxlan',
        name: 'vxlan.test',
        id: 4096,
        port: 4789,
        local: '192.168.100.101',
        mac: '66:01:02:03:04:05',
        mtuBytes: 1450,
        isUp: true,
      } as const satisfies Operation
      const entry = { device: 'vxlan.test', mac: '66:0a:0b:0c:0d:0e', destination: '192.168.100.102' }

      it('makes a VXLAN device once, and changes in place what can be changed', async () => {
        await kernel.apply(host, [vxlan, { op: 'ensureFdb', entry }])
        const before = await kernel.findLink(host, 'vxlan.test')
        expect(before).toMatchObject({ kind: 'vxlan', mac: vxlan.mac, mtuBytes: 1450, isUp: true })
        await kernel.apply(host, [{ ...vxlan, mtuBytes: 1400, mac: '66:01:02:03:04:06' }])
        expect(await kernel.findLink(host, 'vxlan.test')).toMatchObject({
          index: before?.index,
          mtuBytes: 1400,
          mac: '66:01:02:03:04:06',
        })
        expect(await kernel.fdb(host, 'vxlan.test')).toEqual([entry])
      })

      it('makes a VXLAN device anew for another local address, port or VNI', async () => {
        await kernel.apply(host, [vxlan, { op: 'ensureFdb', entry }, { ...vxlan, local: '192.168.100.111' }])
        expect(await kernel.fdb(host, 'vxlan.test')).toEqual([])
        for (const change of [{ port: 4790 }, { id: 4097 }]) {
          const before = await kernel.findLink(host, 'vxlan.test')
          await kernel.apply(host, [{ ...vxlan, ...change }])
          expect((await kernel.findLink(host, 'vxlan.test'))?.index).not.toBe(before?.index)
        }
      })

      it('says that another device has the VNI', async () => {
        await kernel.apply(host, [vxlan])
        await expect(kernel.apply(host, [{ ...vxlan, name: 'vxlan.other' }])).rejects.toThrow(/VNI 4096/)
      })

      it('keeps forwarding entries, replaces their destination and deletes them; twice succeeds', async () => {
        const moved = { ...entry, destination: '192.168.100.103' }
        await kernel.apply(host, [vxlan, { op: 'ensureFdb', entry }, { op: 'ensureFdb', entry: moved }])
        expect(await kernel.fdb(host, 'vxlan.test')).toEqual([moved])
        const remove: Operation = { op: 'deleteFdb', entry: moved }
        await kernel.apply(host, [remove, remove, { op: 'deleteFdb', entry: { ...moved, device: 'none0' } }])
        expect(await kernel.fdb(host, 'vxlan.test')).toEqual([])
      })
    })

    describe('settings', () => {
      beforeEach(podUp)

      it('writes and reads a sysctl of the namespace', async () => {
        const key = 'net/ipv4/conf/eth0/proxy_arp'
        expect(await kernel.readSysctl(pod, key)).toBe('0')
        await kernel.apply(pod, [{ op: 'sysctl', key, value: '1' }])
        expect(await kernel.readSysctl(pod, key)).toBe('1')
      })

      it('reports a sysctl that is missing, unless it is optional', async () => {
        const key = 'net/ipv4/conf/none0/proxy_arp'
        await kernel.apply(pod, [{ op: 'sysctl', key, value: '1', optional: true }])
        expect(await kernel.readSysctl(pod, key)).toBeUndefined()
        await expect(kernel.apply(pod, [{ op: 'sysctl', key, value: '1' }])).rejects.toMatchObject({ code: 'ENOENT' })
      })

      it('tells and changes the checksum offload of a device, and names one that is not there', async () => {
        await kernel.apply(pod, [{ op: 'checksumOffload', device: 'eth0', isOn: false }])
        expect(await kernel.hasChecksumOffload(pod, 'eth0')).toBe(false)
        await kernel.apply(pod, [{ op: 'checksumOffload', device: 'eth0', isOn: true }])
        expect(await kernel.hasChecksumOffload(pod, 'eth0')).toBe(true)
        const wrong: Operation = { op: 'checksumOffload', device: 'none0', isOn: false }
        await expect(kernel.apply(pod, [wrong])).rejects.toMatchObject({ code: 'ENODEV', message: /none0/ })
      })
    })

    describe('errors and changes', () => {
      it('stops at the first failure and names the operation', async () => {
        const batch: Operation[] = [
          { op: 'ensureBridge', name: 'br0' },
          { op: 'setLink', name: 'none0', isUp: true },
          { op: 'ensureBridge', name: 'br1' },
        ]
        await expect(kernel.apply(host, batch)).rejects.toThrow(/^setLink none0 in .*: ENODEV/)
        expect((await kernel.links(host)).map((link) => link.name)).toEqual(['lo', 'br0'])
      })

      it('says that a namespace is gone', async () => {
        const gone = await under.makeNetns()
        await under.removeNetns(gone)
        for (const call of [
          kernel.links(gone),
          kernel.apply(gone, []),
          kernel.watch(
            gone,
            () => {},
            () => {},
          ).ready,
        ]) {
          await expect(call).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining(gone) })
        }
      })

      it('refuses what is no address, naming the operation', async () => {
        await kernel.apply(host, [{ op: 'ensureBridge', name: 'br0' }])
        const wrong: Operation = { op: 'ensureAddress', device: 'br0', address: '10.0.0.256/24' }
        await expect(kernel.apply(host, [wrong])).rejects.toThrow(/^ensureAddress 10.0.0.256\/24 on br0 .*EINVAL/)
      })

      it('reports changes while watched, and none afterwards', async () => {
        await podUp()
        const events: KernelEvent[] = []
        const watch = kernel.watch(
          pod,
          (event) => events.push(event),
          () => {},
        )
        await watch.ready
        await kernel.apply(pod, [
          { op: 'ensureAddress', device: 'eth0', address: '10.144.0.31/24' },
          { op: 'ensureRoute', route: { family: 4, destination: '10.96.0.0/16', gateway: '10.144.0.1' } },
          { op: 'deleteRoute', route: { family: 4, destination: '10.96.0.0/16' } },
          { op: 'ensureRule', rule: { family: 4, priority: 9, table: 254 } },
        ])
        await expect.poll(() => events.some((event) => event.kind === 'rule'), { timeout: 3000 }).toBe(true)
        const route = expect.objectContaining({ destination: '10.96.0.0/16', gateway: '10.144.0.1', device: 'eth0' })
        expect(events).toContainEqual({ kind: 'route', action: 'new', object: route })
        expect(events).toContainEqual({ kind: 'route', action: 'delete', object: route })
        expect(events.find((event) => event.kind === 'address')?.object).toMatchObject({ address: '10.144.0.31' })
        await watch.close()
        const seen = events.length
        await kernel.apply(pod, [{ op: 'setLink', name: 'eth0', mtuBytes: 1300 }])
        await kernel.links(pod)
        expect(events).toHaveLength(seen)
      })

      it('reports of the devices that are asked for, and of no others', async () => {
        const events: KernelEvent[] = []
        const watch = kernel.watch(
          host,
          (event) => events.push(event),
          () => {},
          { devices: ['vet*', 'vxlan.test'], kinds: ['link', 'route', 'settings', 'fdb'] },
        )
        await watch.ready
        const device = 'veth0'
        const entry = { device: 'vxlan.test', mac: '66:0a:0b:0c:0d:0e', destination: '192.168.100.102' }
        const vxlan = { id: 4096, port: 4789, local: '192.168.100.101', mac: '66:01:02:03:04:05', mtuBytes: 1450 }
        await kernel.apply(host, [
          { op: 'ensureBridge', name: 'br0', isUp: true },
          veth(),
          { op: 'sysctl', key: 'net/ipv4/conf/br0/proxy_arp', value: '1' },
          { op: 'sysctl', key: 'net/ipv4/conf/veth0/proxy_arp', value: '1' },
          { op: 'ensureRoute', route: { family: 4, destination: '10.244.1.9/32', device: 'br0' } },
          { op: 'ensureRoute', route: { family: 4, destination: '10.244.1.2/32', device } },
          { op: 'deleteRoute', route: { family: 4, destination: '10.244.1.2/32', device } },
          { op: 'ensureVxlan', name: 'vxlan.test', ...vxlan, isUp: true },
          { op: 'ensureFdb', entry },
          { op: 'deleteFdb', entry },
          {
            op: 'ensureNeighbor',
            neighbor: { family: 4, address: '10.0.0.9', device: 'vxlan.test', mac: entry.mac, isPermanent: true },
          },
          { op: 'deleteLink', name: 'vxlan.test' },
        ])
        const isGone = (event: KernelEvent): boolean =>
          event.kind === 'link' && event.action === 'delete' && event.object.name === 'vxlan.test'
        await expect.poll(() => events.some(isGone), { timeout: 3000 }).toBe(true)
        await watch.close()
        expect(JSON.stringify(events)).not.toContain('br0')
        expect(events.map(({ kind }) => kind)).not.toContain('neighbor')
        expect(events).toContainEqual({
          kind: 'route',
          action: 'delete',
          object: expect.objectContaining({ destination: '10.244.1.2/32', device }),
        })
        expect(events).toContainEqual({
          kind: 'settings',
          action: 'new',
          object: expect.objectContaining({ device, hasProxyArp: true }),
        })
        for (const action of ['new', 'delete'] as const) {
          expect(events).toContainEqual({ kind: 'fdb', action, object: entry })
        }
      })

      it('reports which table of nftables a transaction has changed', async () => {
        const changes: NftChange[] = []
        const watch = kernel.watchNft(
          host,
          (change) => changes.push(change),
          () => {},
        )
        await watch.ready
        await kernel.nft(host, 'table inet ours {\n  chain one { type filter hook input priority 0; }\n}')
        await kernel.nft(host, 'table ip theirs {\n}')
        await expect.poll(() => changes.length, { timeout: 3000 }).toBeGreaterThan(1)
        expect(changes).toEqual([
          { family: 'inet', table: 'ours' },
          { family: 'ip', table: 'theirs' },
        ])
        await watch.close()
      })
    })
  })
}

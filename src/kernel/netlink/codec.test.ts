import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bigintToAddress } from '../../base/ip.ts'
import type { Address, Neighbor, Route, Rule } from '../kernel.ts'
import { normalizeRoute } from '../normalize.ts'
import { decodeAddress, encodeAddress } from './address.ts'
import { decodeLink, encodeLink, macBytes, vethInfo } from './link.ts'
import { decodeAttributes, decodeMessages } from './message.ts'
import { decodeNeighbor, encodeNeighbor } from './neighbor.ts'
import { decodeRoute, encodeRoute, encodeRouteDeletion } from './route.ts'
import { decodeRule, encodeRule } from './rule.ts'

/** What iproute2 6.1 sent and the kernel answered, recorded by a wrapper around sendmsg and recvmsg. v0 is device 3. */
const recorded = {
  addVeth:
    '7c000000100005068d29056b00000000000000000000000000000000000000000a000100eeeeeeeeeeee000008000400aa05000007000300763000004000120008' +
    '000100766574683400020030000100000000000000000000000000000000000a0001000a580a000001000008000400780500000700030076310000',
  addAddress: '30000000140005068d29056b000000000218000003000000080002000a90001f080004000a9000ff080001000a90001f',
  addAddress6:
    '40000000140005068d29056b000000000a4002000300000014000200fd00000000000000000000000000000514000100fd000000000000000000000000000005',
  defaultRoute: '2c000000180005058d29056b0000000002000000fe0300010400000008000500a9fe01010800040003000000',
  tableRoute:
    '50000000180005058d29056b00000000021800000050fd0100000000080001000a0100000800060007000000080007000a90001f08000f00a4420f0008000400030000000c00080008000200' +
    '46050000',
  ecmpRoute:
    '50000000180005058d29056b0000000002180000fe0c000100000000080001000a0200000800060020000000240009001000000003000000080005000a9000011000000203000000080005000a900002',
  blackhole: '24000000180005058d29056b0000000002180000fe03000600000000080001000a030000',
  viaRoute:
    '44000000180005058d29056b0000000002180000fe03000100000000080001000a040000160012000a00fd00000000000000000000000000000900000800040003000000',
  deleteRoute:
    '34000000190005008d29056b00000000021800000000ff0000000000080001000a01000008000f00a4420f000800040003000000',
  addRule:
    '5c000000200005068d29056b00000000021020000000000100000000080002000af40102080001000a090000070003007630000008000a001000000008000600b004000008000f002c010000' +
    '08000e00000000000500150050000000',
  rules:
    '34000000200002008d29056b233a000002000000ff0000010000000008000f00ff00000008000e00ffffffff050015000200000064000000200002008d29056b233a000002102000fc000001' +
    '0000000008000f002c01000008000e00000000000500150050000000070003007630000008000600b004000008000a001000000008001000ffffffff080001000a090000080002000af40102' +
    '3c000000200002008d29056b233a000002000000fe0000010000000008000f00fe00000008000e00ffffffff050015000200000008000600fe7f0000',
  addNeighbor: '300000001c0005058e29056b0000000002000000030000008000000008000100a9fe01010a000200eeeeeeeeeeee0000',
  addProxy: '240000001c0005068e29056b00000000020000000300000080000800080001000a090909',
  neighbors:
    '4c0000001c0022008e29056b363a000002000000030000008000000108000100a9fe01010a000200eeeeeeeeeeee000008000400000000001400030005000000050000000500000000000000' +
    '580000001c0022008e29056b363a00000a000000030000004000000514000100ff0200000000000000000001ffeeeeee0a0002003333ffeeeeee000008000400000000001400030071170000' +
    '010000000100000000000000',
} as const

const nameOf = (index: number): string | undefined => (index === 3 ? 'v0' : undefined)
const indexOf = (): number => 3

function bodies(name: keyof typeof recorded): Buffer[] {
  return decodeMessages(Buffer.from(recorded[name], 'hex')).map((message) => message.body)
}
function body(name: keyof typeof recorded): Buffer {
  const [first] = bodies(name)
  if (first === undefined) throw new Error(name)
  return first
}
/** A body's header and attributes, the order of which does not matter. */
function parts(buffer: Buffer, headerLength: number): unknown {
  const attributes = [...decodeAttributes(buffer.subarray(headerLength))].map(([type, value]) => [
    type,
    value.toString('hex'),
  ])
  return {
    header: buffer.toString('hex', 0, headerLength),
    attributes: attributes.sort(([a], [b]) => Number(a) - Number(b)),
  }
}

describe('links', () => {
  it('are asked for as iproute2 does', () => {
    const info = vethInfo({ name: 'v1', mac: '0a:58:0a:00:00:01', mtuBytes: 1400 })
    const ours = encodeLink({ name: 'v0', mac: 'ee:ee:ee:ee:ee:ee', mtuBytes: 1450 }, { info })
    const link = (buffer: Buffer): Buffer[] => {
      const outer = decodeAttributes(buffer.subarray(16))
      const linkInfo = decodeAttributes(outer.get(18)!)
      const peer = decodeAttributes(linkInfo.get(2)!).get(1)!.subarray(16)
      return [1, 3, 4]
        .flatMap((type) => [outer.get(type)!, decodeAttributes(peer).get(type)!])
        .concat(linkInfo.get(1)!.subarray(0, 4))
    }
    expect(link(ours)).toEqual(link(body('addVeth')))
  })

  it('say whether they are up, and leave alone what is not asked', () => {
    expect(encodeLink({ name: 'a', isUp: true }).readBigUInt64LE(8)).toBe(0x1_0000_0001n)
    expect(encodeLink({ name: 'a', isUp: false }).readBigUInt64LE(8)).toBe(0x1_0000_0000n)
    expect(encodeLink({ name: 'a' }).readBigUInt64LE(8)).toBe(0n)
  })

  it('come back as they were written', () => {
    const mac = fc
      .uint8Array({ minLength: 6, maxLength: 6 })
      .map((array) => [...array].map((byte) => byte.toString(16).padStart(2, '0')).join(':'))
    fc.assert(
      fc.property(fc.nat(), fc.nat(), mac, fc.boolean(), (mtuBytes, group, address, isUp) => {
        const link = { name: 'eth0', mac: address, mtuBytes, group, isUp, alias: 'ns/pod/ü' }
        expect(decodeLink(encodeLink(link, { index: 7 }))).toMatchObject({ ...link, index: 7 })
      }),
    )
  })

  it('refuse what is no MAC address', () => {
    expect(() => macBytes('0a:58:0a:00:00')).toThrow('"0a:58:0a:00:00" is not a MAC address')
  })
})

describe('addresses', () => {
  it('are asked for as iproute2 does', () => {
    const address = { family: 4, address: '10.144.0.31', prefixLength: 24 } as const
    expect(parts(encodeAddress({ index: 3, address, broadcast: '10.144.0.255' }), 8)).toEqual(
      parts(body('addAddress'), 8),
    )
  })

  it('skip duplicate address detection for IPv6', () => {
    const ours = encodeAddress({ index: 3, address: { family: 6, address: 'fd00::5', prefixLength: 64 } })
    expect(decodeAddress(ours)).toEqual(decodeAddress(body('addAddress6')))
    expect(decodeAttributes(ours.subarray(8)).get(8)?.readUInt32LE()).toBe(2)
  })

  it('are read from requests too', () => {
    expect(decodeAddress(body('addAddress'))).toEqual<Address>({
      linkIndex: 3,
      family: 4,
      address: '10.144.0.31',
      prefixLength: 24,
      broadcast: '10.144.0.255',
      scope: 0,
    })
  })
})

describe('routes', () => {
  const samples: readonly (readonly [keyof typeof recorded, Route])[] = [
    ['defaultRoute', { family: 4, destination: '0.0.0.0/0', gateway: '169.254.1.1', device: 'v0', onlink: true }],
    [
      'tableRoute',
      {
        family: 4,
        destination: '10.1.0.0/24',
        device: 'v0',
        protocol: 80,
        metric: 7,
        mtuBytes: 1350,
        source: '10.144.0.31',
        table: 1_000_100,
      },
    ],
    [
      'ecmpRoute',
      {
        family: 4,
        destination: '10.2.0.0/24',
        protocol: 12,
        metric: 32,
        nextHops: [
          { gateway: '10.144.0.1', device: 'v0', weight: 1 },
          { gateway: '10.144.0.2', device: 'v0', weight: 3 },
        ],
      },
    ],
    ['blackhole', { family: 4, destination: '10.3.0.0/24', type: 'blackhole' }],
    ['viaRoute', { family: 4, destination: '10.4.0.0/24', gateway: 'fd00::9', device: 'v0' }],
  ]
  const withoutTable = (buffer: Buffer): unknown => {
    const { header, attributes } = parts(buffer, 12) as { header: string; attributes: [number, string][] }
    return { header, attributes: attributes.filter(([type]) => type !== 15) }
  }

  it.each(samples)('are asked for as iproute2 does: %s', (name, route) => {
    expect(withoutTable(encodeRoute(route, indexOf))).toEqual(withoutTable(body(name)))
    expect(decodeRoute(body(name), nameOf)).toEqual(normalizeRoute(route))
  })

  it('are deleted as iproute2 does, whatever their scope and protocol', () => {
    const route: Route = { family: 4, destination: '10.1.0.0/24', device: 'v0', table: 1_000_100 }
    const [ours, theirs] = [encodeRouteDeletion(route, indexOf), body('deleteRoute')]
    // iproute2 leaves the type open; ours is the unicast route and no other.
    ours.writeUInt8(0, 7)
    expect(parts(ours, 12)).toEqual(parts(theirs, 12))
  })

  it('come back as they were written, with the defaults filled in', () => {
    const v4 = fc.nat(0xffffffff).map((value) => bigintToAddress(BigInt(value), 4))
    const v6 = fc.bigInt({ min: 1n << 120n, max: (1n << 128n) - 1n }).map((value) => bigintToAddress(value, 6))
    const routeOf = <F extends 4 | 6>(family: F, address: fc.Arbitrary<string>): fc.Arbitrary<Route> =>
      fc.record(
        {
          family: fc.constant(family),
          destination: fc.tuple(address, fc.nat(family === 4 ? 32 : 128)).map(([text, length]) => `${text}/${length}`),
          gateway: address,
          device: fc.constant('v0'),
          source: address,
          table: fc.integer({ min: 1, max: 0xffffffff }),
          protocol: fc.nat(255),
          metric: fc.integer({ min: 1, max: 0xffffffff }),
          mtuBytes: fc.integer({ min: 68, max: 65535 }),
          onlink: fc.constant(true),
        },
        { requiredKeys: ['family', 'destination', 'device'] },
      )
    fc.assert(
      fc.property(fc.oneof(routeOf(4, v4), routeOf(6, v6)), (route) => {
        const metric = route.metric === undefined && route.family === 6 ? { metric: 1024 } : {}
        expect({ ...metric, ...decodeRoute(encodeRoute(route, indexOf), nameOf) }).toEqual(normalizeRoute(route))
      }),
    )
  })

  it('leave out the route cache', () => {
    const cached = Buffer.from(body('defaultRoute'))
    cached.writeUInt32LE(0x200, 8)
    expect(decodeRoute(cached, nameOf)).toBeUndefined()
  })
})

describe('rules', () => {
  const rule: Rule = {
    family: 4,
    priority: 1200,
    table: 300,
    from: '10.244.1.2/32',
    to: '10.9.0.0/16',
    inputDevice: 'v0',
    mark: 0x10,
    suppressPrefixLength: 0,
    protocol: 80,
  }

  it('are asked for as iproute2 does', () => {
    expect(parts(encodeRule(rule), 12)).toEqual(parts(body('addRule'), 12))
  })

  it('are read from a recorded listing', () => {
    expect(bodies('rules').map(decodeRule)).toEqual([
      { family: 4, priority: 0, table: 255, protocol: 2 },
      rule,
      { family: 4, priority: 32766, table: 254, protocol: 2 },
    ])
  })

  it('leave out rules that look no table up', () => {
    const goto = Buffer.from(body('addRule'))
    goto.writeUInt8(2, 7)
    expect(decodeRule(goto)).toBeUndefined()
  })
})

describe('neighbours', () => {
  const neighbor: Neighbor = {
    family: 4,
    address: '169.254.1.1',
    device: 'v0',
    mac: 'ee:ee:ee:ee:ee:ee',
    isPermanent: true,
    isProxy: false,
  }

  it('are asked for as iproute2 does', () => {
    expect(parts(encodeNeighbor(neighbor, 3), 12)).toEqual(parts(body('addNeighbor'), 12))
    expect(decodeNeighbor(body('addProxy'), nameOf)).toMatchObject({ address: '10.9.9.9', isProxy: true })
  })

  it('are read from a recorded listing without what the kernel adds for multicast', () => {
    const found = bodies('neighbors').map((each) => decodeNeighbor(each, nameOf))
    expect(found.filter((each) => each !== undefined)).toEqual([neighbor])
  })
})

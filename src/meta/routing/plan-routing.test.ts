import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CniError } from '../../cni/errors.ts'
import type { CniResult } from '../../cni/result.ts'
import { planRouting } from './plan-routing.ts'
import { planRoutingChange } from './plan-routing-change.ts'
import type { RoutedAttachment, RoutingOperation } from './types.ts'

const eth0: RoutedAttachment = {
  ifName: 'eth0',
  networkName: 'k8s-pod-network',
  isDefault: true,
  routing: { table: 1000, keep: [], take: [] },
  result: {
    interfaces: [{ name: 'cali1' }, { name: 'eth0', sandbox: '/run/netns/x' }],
    ips: [{ address: '10.244.83.250/32', interface: 1 }],
    routes: [
      { dst: '169.254.1.1/32', scope: 253 },
      { dst: '0.0.0.0/0', gw: '169.254.1.1' },
    ],
    dns: {},
  },
}

function eth1(defaultRoute?: readonly string[], subnet = 0): RoutedAttachment {
  const gateway = `10.144.${subnet}.1`
  return {
    ifName: 'eth1',
    networkName: 'default/yusur-ovn',
    isDefault: false,
    routing: { table: 1001, keep: [], take: [] },
    defaultRoute,
    result: {
      interfaces: [{ name: 'eth1', sandbox: '/run/netns/x' }],
      ips: [{ address: `10.144.${subnet}.31/24`, gateway, interface: 0 }],
      routes: [
        { dst: '10.96.0.0/16', gw: gateway },
        { dst: '10.144.0.0/16', gw: gateway },
      ],
      dns: {},
    },
  }
}

/** The main table as `ip route` prints it, after the plan has been carried out on what the networks installed. */
function mainTable(attachments: readonly RoutedAttachment[], operations: readonly RoutingOperation[]): string[] {
  const lines = new Set(attachments.flatMap(installedBy))
  for (const step of operations) {
    if (!('route' in step) || step.route.table !== undefined) continue
    const { destination, gateway, device, scope } = step.route
    const line = routeLine(destination, gateway, device, scope)
    if (step.op === 'ensureRoute') lines.add(line)
    else expect(lines.delete(line), `deletes ${line}`).toBe(true)
  }
  return [...lines].sort()
}

function installedBy({ ifName, result }: RoutedAttachment): string[] {
  const connected = result.ips
    .filter((ip) => !ip.address.endsWith('/32'))
    .map(
      (ip) =>
        `${ip.address.replace(/\.\d+\/24/, '.0/24')} dev ${ifName} scope link src ${ip.address.replace(/\/.*/, '')}`,
    )
  return [...connected, ...result.routes.map((route) => routeLine(route.dst, route.gw, ifName, route.scope))]
}

function routeLine(destination: string, gateway: string | undefined, device: string, scope?: number): string {
  const to = destination === '0.0.0.0/0' ? 'default' : destination.replace(/\/32$/, '')
  return `${to}${gateway === undefined ? '' : ` via ${gateway}`} dev ${device}${scope === 253 ? ' scope link' : ''}`
}

function tables(operations: readonly RoutingOperation[]): string[] {
  return operations.flatMap((step) => {
    if ('rule' in step) return [`from ${step.rule.from} lookup ${step.rule.table} priority ${step.rule.priority}`]
    if (step.route.table === undefined) return []
    const { destination, gateway, device, scope, table } = step.route
    return [`${table}: ${routeLine(destination, gateway, device, scope)}`]
  })
}

describe("the article's pod", () => {
  const attachments = [eth0, eth1(['10.144.0.1'])]
  const plan = planRouting(attachments)

  test('has exactly the five routes of the article in its main table', () => {
    expect(mainTable(attachments, plan.operations)).toEqual([
      '10.144.0.0/16 via 10.144.0.1 dev eth1',
      '10.144.0.0/24 dev eth1 scope link src 10.144.0.31',
      '10.96.0.0/16 via 10.144.0.1 dev eth1',
      '169.254.1.1 dev eth0 scope link',
      'default via 10.144.0.1 dev eth1',
    ])
  })

  test('answers from each address by the interface of that address', () => {
    expect(tables(plan.operations)).toEqual([
      '1000: 169.254.1.1 dev eth0 scope link',
      '1000: default via 169.254.1.1 dev eth0',
      'from 10.244.83.250/32 lookup 1000 priority 1000',
      '1001: 10.144.0.0/24 dev eth1 scope link',
      '1001: 10.96.0.0/16 via 10.144.0.1 dev eth1',
      '1001: 10.144.0.0/16 via 10.144.0.1 dev eth1',
      '1001: default via 10.144.0.1 dev eth1',
      'from 10.144.0.31/32 lookup 1001 priority 1001',
    ])
  })

  test('has results that say the same', () => {
    expect(plan.results[0]?.routes).toEqual([{ dst: '169.254.1.1/32', scope: 253 }])
    expect(plan.results[1]?.routes[0]).toEqual({ dst: '0.0.0.0/0', gw: '10.144.0.1' })
    expect(plan.warnings).toEqual([])
  })

  test('on another node uses that node’s gateway, with a warning', () => {
    const elsewhere = [eth0, eth1(['10.144.0.1'], 2)]
    const { operations, warnings, results } = planRouting(elsewhere)
    expect(mainTable(elsewhere, operations)).toContain('default via 10.144.2.1 dev eth1')
    expect(warnings).toEqual([
      'default-route 10.144.0.1 is not on the subnet of network "default/yusur-ovn" (eth1) on this node; its own gateway 10.144.2.1 is used',
    ])
    expect(results[1]?.routes[0]).toEqual({ dst: '0.0.0.0/0', gw: '10.144.2.1' })
  })
})

describe('default-route', () => {
  test('absent or empty keeps what the networks installed', () => {
    for (const value of [undefined, []]) {
      const attachments = [eth0, eth1(value)]
      const plan = planRouting(attachments)
      expect(mainTable(attachments, plan.operations)).toContain('default via 169.254.1.1 dev eth0')
      expect(plan.results[0]).toEqual(eth0.result)
    }
  })

  test('of one family leaves the other alone', () => {
    const dual: CniResult = { ...eth0.result, routes: [...eth0.result.routes, { dst: '::/0', gw: 'fe80::1' }] }
    const plan = planRouting([{ ...eth0, result: dual }, eth1(['10.144.0.1'])])
    const removed = plan.operations.filter((step) => step.op === 'deleteRoute')
    expect(removed).toHaveLength(1)
    expect(plan.results[0]?.routes).toContainEqual({ dst: '::/0', gw: 'fe80::1' })
  })

  test('replaces the default that its own network installed through another gateway', () => {
    const own = eth1(['10.144.0.9'])
    const result = { ...own.result, routes: [{ dst: '0.0.0.0/0', gw: '10.144.0.1' }] }
    const attachments = [eth0, { ...own, result }]
    const defaults = mainTable(attachments, planRouting(attachments).operations).filter((line) => /default/.test(line))
    expect(defaults).toEqual(['default via 10.144.0.9 dev eth1'])
  })

  test('outside the subnet of a network without gateway is an error that names both', () => {
    const bare = { ...eth1(['10.9.9.9']), result: { ...eth0.result, routes: [], ips: [{ address: '10.1.0.2/24' }] } }
    expect(() => planRouting([eth0, bare])).toThrow(
      'default-route 10.9.9.9 is not on the subnet of network "default/yusur-ovn" (eth1)',
    )
  })
})

describe('prefixes of the cluster', () => {
  const clusterPrefixes = ['10.244.0.0/16', '10.96.0.0/16', '192.0.2.11/32']

  test('stay on eth0 when the default moves, also one that eth1 came with', () => {
    const attachments = [eth0, { ...eth1(['10.144.0.1']), routing: { table: 1001, keep: clusterPrefixes, take: [] } }]
    const plan = planRouting(attachments)
    expect(mainTable(attachments, plan.operations)).toEqual([
      '10.144.0.0/16 via 10.144.0.1 dev eth1',
      '10.144.0.0/24 dev eth1 scope link src 10.144.0.31',
      '10.244.0.0/16 via 169.254.1.1 dev eth0',
      '10.96.0.0/16 via 169.254.1.1 dev eth0',
      '169.254.1.1 dev eth0 scope link',
      '192.0.2.11 via 169.254.1.1 dev eth0',
      'default via 10.144.0.1 dev eth1',
    ])
    expect(plan.results[0]?.routes).toContainEqual({ dst: '10.96.0.0/16', gw: '169.254.1.1' })
    expect(plan.results[1]?.routes).not.toContainEqual(expect.objectContaining({ dst: '10.96.0.0/16' }))
  })

  test('need no route of their own while the default is on eth0', () => {
    const attachments = [eth0, { ...eth1(), routing: { table: 1001, keep: clusterPrefixes, take: [] } }]
    const table = mainTable(attachments, planRouting(attachments).operations)
    expect(table).not.toContainEqual(expect.stringContaining('10.96.0.0/16'))
    expect(table).toContain('default via 169.254.1.1 dev eth0')
  })

  test('are taken by eth1 while the default stays', () => {
    const attachments = [eth0, { ...eth1(), routing: { table: 1001, keep: [], take: ['10.244.0.0/16'] } }]
    const table = mainTable(attachments, planRouting(attachments).operations)
    expect(table).toContain('10.244.0.0/16 via 10.144.0.1 dev eth1')
    expect(table).toContain('default via 169.254.1.1 dev eth0')
  })

  test('cannot be taken by a network without gateway', () => {
    const taker = { ...eth1(), routing: { table: 1001, keep: [], take: ['2001:db8::/32'] } }
    expect(() => planRouting([eth0, taker])).toThrow('is to take 2001:db8::/32 from the default network')
  })
})

describe('what plugins really installed', () => {
  const link = { family: 4, destination: '10.144.0.1/32', device: 'eth1', scope: 253 } as const
  const subnet = { family: 4, destination: '10.144.0.0/24', device: 'eth1', gateway: '10.144.0.1' } as const

  test('is what a table copies: a subnet that is reached by its gateway stays so', () => {
    const attachments = [eth0, { ...eth1(), routing: { table: 1001, keep: [], take: [], installed: [link, subnet] } }]
    expect(tables(planRouting(attachments).operations)).toEqual(
      expect.arrayContaining(['1001: 10.144.0.1 dev eth1 scope link', '1001: 10.144.0.0/24 via 10.144.0.1 dev eth1']),
    )
  })

  test('is what is removed: a default route that no result names', () => {
    const advertised = {
      family: 4,
      destination: '0.0.0.0/0',
      device: 'eth2',
      gateway: '10.7.0.1',
      metric: 100,
    } as const
    const eth2 = {
      ...eth1(),
      ifName: 'eth2',
      result: { ...eth1().result, ips: [], routes: [] },
      routing: { table: 1002, keep: [], take: [], installed: [advertised] },
    }
    expect(planRouting([eth0, eth1(['10.144.0.1']), eth2]).operations).toContainEqual({
      op: 'deleteRoute',
      route: advertised,
    })
  })
})

describe('a change of the attachments', () => {
  test('gives the default back to eth0 and removes rules and table of what goes', () => {
    const { operations, results } = planRoutingChange([eth0, eth1(['10.144.0.1'])], [eth0])
    expect(operations).toEqual(
      expect.arrayContaining([
        { op: 'deleteRule', rule: { family: 4, priority: 1001, table: 1001, from: '10.144.0.31/32' } },
        { op: 'deleteRule', rule: { family: 4, priority: 1000, table: 1000, from: '10.244.83.250/32' } },
        {
          op: 'ensureRoute',
          route: { family: 4, destination: '0.0.0.0/0', device: 'eth0', gateway: '169.254.1.1' },
        },
      ]),
    )
    expect(results[0]).toEqual(eth0.result)
  })

  test('leaves tables and rules of the others as they are', () => {
    const eth2 = { ...eth1(), ifName: 'eth2', routing: { table: 1002, keep: [], take: [] } }
    const { operations } = planRoutingChange([eth0, eth1(), eth2], [eth0, eth2])
    const deleted = operations.flatMap((step) => (step.op === 'deleteRule' ? [step.rule.table] : []))
    expect(deleted).toEqual([1001])
    expect(tables(operations.filter((step) => step.op === 'ensureRule'))).toContain(
      'from 10.144.0.31/32 lookup 1002 priority 1002',
    )
  })
})

test('two attachments that both ask for the default of a family are refused', () => {
  const eth2 = { ...eth1(['10.144.0.9']), ifName: 'eth2' }
  expect(() => planRouting([eth0, eth1(['10.144.0.1']), eth2])).toThrow('asks for two IPv4 gateways')
})

test('a pod with one network needs no rules', () => {
  expect(planRouting([eth0]).operations).toEqual([])
})

test('whatever networks report, at most one default a family is left and every rule has a table with a default', () => {
  const address = fc.ipV4()
  const result = fc.record({
    interfaces: fc.constant([]),
    ips: fc.array(
      fc.record({ address: fc.tuple(address, fc.integer({ min: 8, max: 32 })).map(([a, l]) => `${a}/${l}`) }),
      { maxLength: 2 },
    ),
    routes: fc.array(fc.record({ dst: fc.constantFrom('0.0.0.0/0', '10.0.0.0/8'), gw: address }), { maxLength: 2 }),
    dns: fc.constant({}),
  })
  fc.assert(
    fc.property(fc.array(result, { minLength: 1, maxLength: 4 }), address, (results, gateway) => {
      const attachments = results.map((item, index) => ({
        ifName: `eth${index}`,
        networkName: `n${index}`,
        isDefault: index === 0,
        routing: { table: 1000 + index, keep: [], take: [] },
        result: item,
        defaultRoute: index === results.length - 1 ? [gateway] : undefined,
      }))
      try {
        const { operations, results: after } = planRouting(attachments)
        const defaults = after.flatMap((item) => item.routes).filter((route) => route.dst === '0.0.0.0/0')
        expect(defaults).toHaveLength(1)
        for (const step of operations) {
          if (step.op !== 'ensureRule') continue
          const isInTable = (other: RoutingOperation) =>
            other.op === 'ensureRoute' &&
            other.route.table === step.rule.table &&
            other.route.destination === '0.0.0.0/0'
          expect(operations.some(isInTable)).toBe(true)
        }
      } catch (error) {
        expect(error).toBeInstanceOf(CniError)
      }
    }),
  )
})

test('a default route that moves to an interface with the same gateway leaves the route to it through eth0 in place', () => {
  const gateway = '169.254.1.1'
  const second: RoutedAttachment = {
    ...eth1([gateway]),
    result: { interfaces: [], ips: [{ address: '10.244.83.251/32', gateway }], routes: [], dns: {} },
  }
  const { operations } = planRouting([eth0, second])
  const links = operations.filter((step) => 'route' in step && step.route.destination === `${gateway}/32`)
  const ofMain = links.flatMap((step) => ('route' in step && step.route.table === undefined ? [step.route] : []))
  expect(ofMain).toEqual([{ family: 4, destination: `${gateway}/32`, device: 'eth1', scope: 253, metric: 1001 }])
  const back = planRoutingChange([eth0, second], [eth0]).operations
  expect(back).toContainEqual({
    op: 'ensureRoute',
    route: { family: 4, destination: '0.0.0.0/0', device: 'eth0', gateway },
  })
  expect(
    back.some(
      (step) =>
        'route' in step && step.route.device === 'eth0' && step.op === 'deleteRoute' && step.route.table === undefined,
    ),
  ).toBe(false)
})

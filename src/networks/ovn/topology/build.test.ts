import { describe, expect, test } from 'vitest'
import { buildTopology } from './build.ts'
import type { NodeFacts } from './node.ts'
import { type DesiredRow, isRef } from './rows.ts'

const gateway = {
  bridge: 'brens3',
  interfaceId: 'brens3_n1',
  mac: '52:54:00:00:00:01',
  addresses: ['192.168.200.10/24'],
  nextHops: ['192.168.200.1'],
  vlanId: '0',
}
const node: NodeFacts = { name: 'n1', subnets: ['10.144.0.0/24'], number: 2, chassisId: 'chassis-1', gateway }
const options = {
  netCidrs: ['10.144.0.0/16'],
  gatewayMode: 'local' as 'local' | 'shared',
  hostCidrs: ['10.244.0.0/16'],
  mtuBytes: 1400,
  disableSnatMultipleGateways: true,
  disablePacketMtuCheck: true,
  multicastEnabled: true,
}

function build(nodes: readonly NodeFacts[] = [node], changes: Partial<typeof options> = {}): DesiredRow[] {
  return buildTopology({ nodes, multicastNamespaces: [], options: { ...options, ...changes } })
}

function columnsOf(rows: readonly DesiredRow[], table: string, name: string): Record<string, unknown> | undefined {
  const found = rows.find((row) => row.table === table && (row.columns as { name?: string }).name === name)
  return found?.columns as Record<string, unknown> | undefined
}

describe('the topology', () => {
  test('has unique ids, and every reference leads to a row', () => {
    const other = {
      name: 'n2',
      subnets: ['10.144.1.0/24'],
      number: 3,
      gateway: { ...gateway, interfaceId: 'brens3_n2' },
    }
    const rows = build([node, { ...node, ...other }])
    const keys = rows.map(({ table, id }) => `${table} ${id}`)
    expect(new Set(keys).size).toBe(keys.length)
    const references = rows.flatMap(({ columns, memberOf }) => [
      ...Object.values(columns).flat().filter(isRef),
      ...memberOf,
    ])
    for (const { table, id } of references) expect(keys).toContain(`${table} ${id}`)
  })

  test('of a node is named as OVN-Kubernetes names it', () => {
    const rows = build()
    expect(columnsOf(rows, 'Logical_Switch', 'n1')).toMatchObject({
      other_config: {
        subnet: '10.144.0.0/24',
        exclude_ips: '10.144.0.2',
        mcast_snoop: 'true',
        mcast_querier: 'true',
        mcast_eth_src: '0a:58:0a:90:00:01',
        mcast_ip4_src: '10.144.0.1',
      },
    })
    expect(columnsOf(rows, 'Logical_Router_Port', 'rtos-n1')).toMatchObject({ networks: ['10.144.0.1/24'] })
    expect(columnsOf(rows, 'Logical_Switch_Port', 'k8s-n1')).toMatchObject({
      addresses: ['0a:58:0a:90:00:02 10.144.0.2'],
    })
    expect(columnsOf(rows, 'Gateway_Chassis', 'rtos-n1-chassis-1')).toMatchObject({
      chassis_name: 'chassis-1',
      priority: 1,
    })
    expect(columnsOf(rows, 'Logical_Router', 'GR_n1')).toMatchObject({
      options: { chassis: 'chassis-1', lb_force_snat_ip: 'router_ip', 'snat-ct-zone': '0' },
      external_ids: { physical_ip: '192.168.200.10' },
    })
    expect(columnsOf(rows, 'Logical_Router_Port', 'rtoe-GR_n1')).toMatchObject({
      mac: gateway.mac,
      networks: ['192.168.200.10/24'],
    })
    expect(columnsOf(rows, 'Logical_Switch_Port', 'brens3_n1')).toMatchObject({ type: 'localnet' })
  })

  test('sends what pods send outside to their own host', () => {
    const routes = build().filter(({ table }) => table === 'Logical_Router_Static_Route')
    expect(routes.map(({ columns }) => columns)).toContainEqual(
      expect.objectContaining({ ip_prefix: '10.144.0.0/24', nexthop: '10.144.0.2', policy: 'src-ip' }),
    )
  })

  const egress = (rows: DesiredRow[]) =>
    rows.find(({ id }) => id === 'topology/route/n1/egress')?.columns as { nexthop: string } | undefined

  test('in shared mode sends it through the gateway router, except for what the host knows', () => {
    const rows = build([node], { gatewayMode: 'shared' })
    expect(egress(rows)?.nexthop).toBe('100.64.0.2')
    const policies = rows.filter(({ table }) => table === 'Logical_Router_Policy').map(({ columns }) => columns)
    expect(policies).toContainEqual(
      expect.objectContaining({
        priority: 1000,
        match: 'inport == "rtos-n1" && ip4.dst == 10.244.0.0/16 /* n1 */',
        nexthops: ['10.144.0.2'],
      }),
    )
    expect(build().filter(({ table }) => table === 'Logical_Router_Policy')).toHaveLength(1)
  })

  test('in shared mode gives pods no other way out while the gateway is not there', () => {
    expect(egress(build([{ ...node, gateway: undefined }], { gatewayMode: 'shared' }))).toBeUndefined()
  })

  test('has a route and a source NAT for each prefix of pods', () => {
    const rows = build([node], { netCidrs: ['10.144.0.0/16', '10.150.0.0/16'], disableSnatMultipleGateways: false })
    const insides = rows
      .filter(({ table }) => table === 'NAT')
      .map(({ columns }) => (columns as { logical_ip?: string }).logical_ip)
    expect(insides).toEqual(['100.64.0.2', '10.144.0.0/16', '10.150.0.0/16'])
    const prefixes = rows.flatMap(({ columns }) => (columns as { ip_prefix?: string }).ip_prefix ?? [])
    expect(prefixes).toEqual(expect.arrayContaining(['10.144.0.0/16', '10.150.0.0/16']))
  })

  describe('of both families', () => {
    const dual = {
      ...node,
      subnets: ['10.144.0.0/24', 'fd01:0:0:1::/64'],
      gateway: { ...gateway, addresses: ['192.168.200.10/24', 'fd03::10/64'], nextHops: ['192.168.200.1', 'fe80::1'] },
    }
    const netCidrs = ['10.144.0.0/16', 'fd01::/48']
    const rows = build([dual], { netCidrs, disableSnatMultipleGateways: false })

    test('has both on every port of its routers, with the MAC of the first', () => {
      expect(columnsOf(rows, 'Logical_Router_Port', 'rtoj-ovn_cluster_router')).toMatchObject({
        mac: '0a:58:64:40:00:01',
        networks: ['100.64.0.1/16', 'fd98::1/64'],
      })
      expect(columnsOf(rows, 'Logical_Router_Port', 'rtos-n1')).toMatchObject({
        mac: '0a:58:0a:90:00:01',
        networks: ['10.144.0.1/24', 'fd01:0:0:1::1/64'],
      })
      expect(columnsOf(rows, 'Logical_Router_Port', 'rtoj-GR_n1')).toMatchObject({
        networks: ['100.64.0.2/16', 'fd98::2/64'],
      })
      expect(columnsOf(rows, 'Logical_Router_Port', 'rtoe-GR_n1')).toMatchObject({
        networks: ['192.168.200.10/24', 'fd03::10/64'],
      })
      expect(columnsOf(rows, 'Logical_Switch_Port', 'k8s-n1')).toMatchObject({
        addresses: ['0a:58:0a:90:00:02 10.144.0.2 fd01:0:0:1::2'],
      })
      expect(columnsOf(rows, 'Logical_Switch', 'n1')).toMatchObject({
        other_config: { subnet: '10.144.0.0/24', ipv6_prefix: 'fd01:0:0:1::', mcast_ip6_src: 'fe80::858:aff:fe90:1' },
      })
    })

    test('has routes, source NAT and the policy for its own address of each', () => {
      const of = (table: string) =>
        rows.filter((each) => each.table === table).map(({ columns }) => columns as Record<string, unknown>)
      expect(of('Logical_Router_Static_Route').map(({ ip_prefix, nexthop }) => `${ip_prefix} ${nexthop}`)).toEqual([
        '10.144.0.0/24 10.144.0.2',
        'fd01:0:0:1::/64 fd01:0:0:1::2',
        '10.144.0.0/16 100.64.0.1',
        '169.254.169.0/29 169.254.169.4',
        '0.0.0.0/0 192.168.200.1',
        '100.64.0.2/32 100.64.0.2',
        'fd01::/48 fd98::1',
        'fd69::/125 fd69::4',
        '::/0 fe80::1',
        'fd98::2/128 fd98::2',
      ])
      expect(of('NAT').map(({ external_ip, logical_ip }) => `${logical_ip} ${external_ip}`)).toEqual([
        '100.64.0.2 192.168.200.10',
        '10.144.0.0/16 192.168.200.10',
        'fd98::2 fd03::10',
        'fd01::/48 fd03::10',
      ])
      expect(of('Logical_Router_Policy').map(({ match }) => match)).toContain(
        'inport == "rtos-n1" && ip6.dst == fd03::10 /* n1 */',
      )
    })

    test('in shared mode has a way out for the family that its gateway has', () => {
      const shared = build([{ ...dual, gateway }], { netCidrs, gatewayMode: 'shared' })
      const egress = shared.filter(({ id }) => id.startsWith('topology/route/n1/egress'))
      expect(egress.map(({ columns }) => (columns as { ip_prefix: string }).ip_prefix)).toEqual(['10.144.0.0/24'])
    })

    test('lets multicast of both through in a namespace that asks for it', () => {
      const namespace = { name: 'media', ports: [], addresses: ['10.144.0.5', 'fd01:0:0:1::5'] }
      const all = buildTopology({ nodes: [dual], multicastNamespaces: [namespace], options: { ...options, netCidrs } })
      const sets = all.filter(({ table }) => table === 'Address_Set').map(({ columns }) => columns)
      expect(sets).toMatchObject([{ addresses: ['10.144.0.5'] }, { addresses: ['fd01:0:0:1::5'] }])
      const ingress = all.find(({ id }) => id === 'topology/acl/multicast/namespace/media/ingress')?.columns
      expect((ingress as { match: string }).match).toMatch(
        /ip4\.src == \$a\d+ .* \|\| mldv1 \|\| mldv2 \|\| \(ip6\.src == \$a/,
      )
    })
  })

  test('has no gateway router before the node has said that its flows are in', () => {
    expect(columnsOf(build([{ ...node, gateway: undefined }]), 'Logical_Router', 'GR_n1')).toBeUndefined()
  })

  test('follows the settings', () => {
    const nats = (rows: DesiredRow[]) => rows.filter(({ table }) => table === 'NAT').length
    expect(nats(build())).toBe(1)
    expect(nats(build([node], { disableSnatMultipleGateways: false }))).toBe(2)
    expect(columnsOf(build(), 'Logical_Router_Port', 'rtoj-GR_n1')).toMatchObject({ options: {} })
    expect(
      columnsOf(build([node], { disablePacketMtuCheck: false }), 'Logical_Router_Port', 'rtoj-GR_n1'),
    ).toMatchObject({
      options: { gateway_mtu: '1400' },
    })
    const unicast = build([node], { multicastEnabled: false })
    expect(unicast.filter(({ table }) => table === 'ACL')).toEqual([])
    expect(columnsOf(unicast, 'Logical_Router', 'ovn_cluster_router')).not.toMatchObject({
      options: { mcast_relay: 'true' },
    })
  })

  test('lets multicast through in a namespace that asks for it, and drops it elsewhere', () => {
    const namespace = { name: 'media', ports: ['uuid-1'], addresses: ['10.144.0.5'] }
    const rows = buildTopology({ nodes: [node], multicastNamespaces: [namespace], options })
    const acls = rows.filter(({ table }) => table === 'ACL').map(({ columns }) => columns as Record<string, unknown>)
    expect(acls.filter(({ action }) => action === 'drop').map(({ priority }) => priority)).toEqual([1011, 1011])
    expect(acls.map(({ match }) => String(match)).filter((match) => match.includes('ip4.src == $a'))).toHaveLength(1)
    const group = rows.find(({ id }) => id === 'topology/port-group/namespace/media')
    expect(group?.columns).toMatchObject({
      ports: ['uuid-1'],
      external_ids: { 'k8s.ovn.org/id': 'default-network-controller:Namespace:media' },
    })
  })
})

import { describe, expect, test } from 'vitest'
import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'
import { selectEndpoints } from './endpoints.ts'
import { buildLoadBalancers } from './load-balancers.ts'

function service(spec: object): ServiceResource {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }]
  return {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { clusterIP: '10.96.0.10', ports, ...spec },
  } as ServiceResource
}

const none = { nodes: [], families: [4 as const] }

type Conditions = { ready?: boolean; serving?: boolean; terminating?: boolean }

function slice(endpoints: Record<string, Conditions>, more: object = {}): EndpointSliceResource {
  return {
    metadata: { name: 'web-1', namespace: 'shop' },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Object.entries(endpoints).map(([address, conditions]) => ({ addresses: [address], conditions })),
    ...more,
  } as EndpointSliceResource
}

const addresses = (slices: EndpointSliceResource[], spec = {}) =>
  selectEndpoints(service(spec), slices, { name: 'http' }, { family: 4 }).map(({ address }) => address)

describe('endpoints', () => {
  test('that are ready are taken; an unknown readiness counts as ready', () => {
    expect(addresses([slice({ '10.0.0.1': { ready: true }, '10.0.0.2': { ready: false }, '10.0.0.3': {} })])).toEqual([
      '10.0.0.1',
      '10.0.0.3',
    ])
  })
  test('that end but still serve are taken when nothing else is there', () => {
    const ending = { ready: false, serving: true, terminating: true }
    const dead = { ready: false, serving: false, terminating: true }
    expect(addresses([slice({ '10.0.0.1': ending, '10.0.0.2': dead })])).toEqual(['10.0.0.1'])
    expect(addresses([slice({ '10.0.0.1': ending, '10.0.0.3': { ready: true } })])).toEqual(['10.0.0.3'])
  })
  test('are taken all where the service publishes them all', () => {
    expect(addresses([slice({ '10.0.0.1': { ready: false } })], { publishNotReadyAddresses: true })).toEqual([
      '10.0.0.1',
    ])
  })
  test('are matched by the name of the port, once each, and never by name of host', () => {
    const one = slice({ '10.0.0.1': { ready: true } })
    expect(addresses([one, one])).toEqual(['10.0.0.1'])
    expect(addresses([slice({ '10.0.0.1': {} }, { ports: [{ name: 'other', port: 1 }] })])).toEqual([])
    expect(addresses([slice({ 'host.example': {} }, { addressType: 'FQDN' })])).toEqual([])
  })
})

describe('load balancers', () => {
  test('of a service have the name, options and owner that OVN-Kubernetes writes', () => {
    const [row, ...more] = buildLoadBalancers(service({}), [slice({ '10.0.0.2': {}, '10.0.0.1': {} })], none)
    expect(more).toEqual([])
    expect(row?.columns).toEqual({
      name: 'Service_shop/web_TCP_cluster',
      protocol: 'tcp',
      vips: { '10.96.0.10:80': '10.0.0.1:8080,10.0.0.2:8080' },
      selection_fields: [],
      options: {
        reject: 'true',
        event: 'false',
        skip_snat: 'false',
        neighbor_responder: 'none',
        hairpin_snat_ip: '169.254.169.5 fd69::5',
      },
      external_ids: {
        'k8s.ovn.org/kind': 'Service',
        'k8s.ovn.org/owner': 'shop/web',
        'twinlane-id': 'service/shop/web/TCP_cluster',
      },
    })
  })
  test('of a service without endpoints reject at once', () => {
    const [row] = buildLoadBalancers(service({}), [], none)
    expect(row?.columns).toMatchObject({ vips: { '10.96.0.10:80': '' }, options: { reject: 'true' } })
  })
  test('are one a protocol', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ]
    expect(
      buildLoadBalancers(service({ ports }), [], none).map(({ columns }) => (columns as { name: string }).name),
    ).toEqual(['Service_shop/web_UDP_cluster', 'Service_shop/web_TCP_cluster'])
  })
  test('have a backend of the family of each address, and none of a family that pods do not have', () => {
    const spec = { clusterIPs: ['10.96.0.10', 'fd02::10'] }
    const slices = [slice({ '10.0.0.1': {} }), slice({ 'fd00::1': {} }, { addressType: 'IPv6' })]
    const vips = (families: readonly (4 | 6)[]) =>
      buildLoadBalancers(service(spec), slices, { nodes: [], families }).map(
        ({ columns }) => (columns as { vips: object }).vips,
      )
    expect(vips([4, 6])).toEqual([{ '10.96.0.10:80': '10.0.0.1:8080', '[fd02::10]:80': '[fd00::1]:8080' }])
    expect(vips([4])).toEqual([{ '10.96.0.10:80': '10.0.0.1:8080' }])
    expect(vips([6])).toEqual([{ '[fd02::10]:80': '[fd00::1]:8080' }])
  })
  test('open node ports on each node', () => {
    const ports = [{ name: 'http', port: 80, nodePort: 30_080 }]
    const rows = buildLoadBalancers(service({ ports }), [], {
      nodes: [{ name: 'n1', addresses: ['192.168.200.10'] }],
      families: [4],
    })
    expect(rows[1]).toMatchObject({
      columns: { name: 'Service_shop/web_TCP_node_router+switch_n1', vips: { '192.168.200.10:30080': '' } },
      memberOf: [
        { table: 'Logical_Router', column: 'load_balancer' },
        { table: 'Logical_Switch', column: 'load_balancer' },
      ],
    })
  })
  test('with a local internal traffic policy have on each node the endpoints of that node alone', () => {
    const endpoints = [
      { addresses: ['10.0.0.1'], nodeName: 'n1', conditions: {} },
      { addresses: ['10.0.0.2'], nodeName: 'n2', conditions: {} },
    ]
    const nodes = [
      { name: 'n1', addresses: ['192.168.200.10'] },
      { name: 'n2', addresses: [] },
      { name: 'n3', addresses: [] },
    ]
    const rows = buildLoadBalancers(service({ internalTrafficPolicy: 'Local' }), [slice({}, { endpoints })], {
      nodes,
      families: [4],
    })
    expect(rows.map(({ columns }) => (columns as { vips: object }).vips)).toEqual([
      { '10.96.0.10:80': '10.0.0.1:8080' },
      { '10.96.0.10:80': '10.0.0.2:8080' },
      { '10.96.0.10:80': '' },
    ])
    expect(rows[0]).toMatchObject({
      columns: { name: 'Service_shop/web_TCP_node_switch_n1' },
      memberOf: [{ table: 'Logical_Switch', column: 'load_balancer' }],
    })
  })
  test('keep a client at one backend by its address', () => {
    const rows = buildLoadBalancers(service({ sessionAffinity: 'ClientIP' }), [], none)
    expect(rows[0]?.columns).toMatchObject({ selection_fields: ['ip_src', 'ip_dst'] })
    expect(rows[0]?.columns).not.toHaveProperty('options.affinity_timeout')
  })
  test('are not made for headless services', () => {
    expect(buildLoadBalancers(service({ clusterIP: 'None' }), [], none)).toEqual([])
  })
})

import { expect, test } from 'vitest'
import { buildModel, type Focus, narrow } from './model.ts'
import type { NorthboundSnapshot } from './read.ts'
import { renderModel } from './render.ts'

const port = (name: string, more: object) => ({
  _uuid: name,
  name,
  type: '',
  addresses: [],
  options: {},
  external_ids: {},
  up: true,
  tag_request: undefined,
  ...more,
})
const podPort = (name: string, node: string, addresses: string, ids = {}) =>
  port(name, {
    addresses: [addresses],
    options: { 'requested-chassis': node },
    external_ids: { namespace: 'default', pod: 'true', ...ids },
  })
const routerLink = (name: string, peer: string) =>
  port(name, { type: 'router', addresses: ['router'], options: { 'router-port': peer } })
const flatIds = { 'k8s.ovn.org/network': 'flat', 'k8s.ovn.org/topology': 'layer2' }

const snapshot = {
  switches: [
    {
      name: 'n1',
      ports: ['stor-n1', 'k8s-n1', 'default_web'],
      other_config: { subnet: '10.144.0.0/24' },
      external_ids: {},
    },
    { name: 'n2', ports: ['stor-n2', 'default_db'], other_config: { subnet: '10.144.1.0/24' }, external_ids: {} },
    { name: 'ext_n1', ports: ['brens3_n1', 'etor-GR_n1'], other_config: {}, external_ids: {} },
    {
      name: 'flat_ovn_layer2_switch',
      ports: ['default.flat_default_web', 'default.flat_default_db'],
      other_config: { subnet: '10.1.0.0/24' },
      external_ids: flatIds,
    },
  ],
  switchPorts: [
    routerLink('stor-n1', 'rtos-n1'),
    routerLink('stor-n2', 'rtos-n2'),
    port('k8s-n1', { addresses: ['0a:58:0a:90:00:02 10.144.0.2'] }),
    podPort('default_web', 'n1', '0a:58:0a:90:00:03 10.144.0.3'),
    { ...podPort('default_db', 'n2', '0a:58:0a:90:01:03 10.144.1.3'), up: false },
    port('brens3_n1', { type: 'localnet', addresses: ['unknown'], options: { network_name: 'physnet' } }),
    routerLink('etor-GR_n1', 'rtoe-GR_n1'),
    podPort('default.flat_default_web', 'n1', '0a:58:0a:01:00:01 10.1.0.1', {
      ...flatIds,
      'k8s.ovn.org/nad': 'default/flat',
    }),
    podPort('default.flat_default_db', 'n2', '0a:58:0a:01:00:02 10.1.0.2', {
      ...flatIds,
      'k8s.ovn.org/nad': 'default/flat',
    }),
  ],
  routers: [
    { name: 'ovn_cluster_router', ports: ['rtos-n1', 'rtos-n2'], nat: [], external_ids: {} },
    { name: 'GR_n1', ports: ['rtoe-GR_n1'], nat: ['nat'], external_ids: {} },
  ],
  routerPorts: [
    { _uuid: 'rtos-n1', name: 'rtos-n1', networks: ['10.144.0.1/24'] },
    { _uuid: 'rtos-n2', name: 'rtos-n2', networks: ['10.144.1.1/24'] },
    { _uuid: 'rtoe-GR_n1', name: 'rtoe-GR_n1', networks: ['192.168.200.11/24'] },
  ],
  nats: [{ _uuid: 'nat', type: 'snat', logical_ip: '10.144.0.3', external_ip: '192.168.200.11' }],
} as unknown as NorthboundSnapshot

const show = (focus: Focus) => renderModel(narrow(buildModel(snapshot), focus))

test('the cluster is a tree by network, with what is at the other end of every port', () => {
  expect(show({ kind: 'cluster' })).toBe(`cluster network
  router GR_n1
    rtoe-GR_n1  192.168.200.11/24  switch ext_n1
    snat 10.144.0.3 -> 192.168.200.11
  router ovn_cluster_router
    rtos-n1  10.144.0.1/24  switch n1
    rtos-n2  10.144.1.1/24  switch n2
  switch ext_n1
    brens3_n1   physical network physnet  unknown
    etor-GR_n1  router GR_n1
  switch n1  10.144.0.0/24
    default_web  pod default/web            0a:58:0a:90:00:03 10.144.0.3  up on n1
    k8s-n1       node n1                    0a:58:0a:90:00:02 10.144.0.2
    stor-n1      router ovn_cluster_router
  switch n2  10.144.1.0/24
    default_db  pod default/db             0a:58:0a:90:01:03 10.144.1.3  down, wanted on n2
    stor-n2     router ovn_cluster_router

network flat (layer2)
  switch flat_ovn_layer2_switch  10.1.0.0/24
    default.flat_default_db   pod default/db   0a:58:0a:01:00:02 10.1.0.2  up on n2
    default.flat_default_web  pod default/web  0a:58:0a:01:00:01 10.1.0.1  up on n1`)
})

test('a pod is shown with its ports on all networks and what they hang on, and no other pod', () => {
  const text = show({ kind: 'pod', namespace: 'default', name: 'web' })
  expect(text).toContain('default_web')
  expect(text).toContain('default.flat_default_web')
  expect(text).toContain('router ovn_cluster_router')
  expect(text).not.toMatch(/default_db|flat_default_db|switch ext_n1|GR_n1/)
  expect(narrow(buildModel(snapshot), { kind: 'pod', namespace: 'other', name: 'web' })).toEqual([])
})

test('a node is shown with its own switches and its pods on those that all share', () => {
  const text = show({ kind: 'node', name: 'n1' })
  expect(text).toContain('switch ext_n1')
  expect(text).toContain('router GR_n1')
  expect(text).toContain('default.flat_default_web')
  expect(text).not.toMatch(/^ {2}switch n2|default_db|flat_default_db/m)
})

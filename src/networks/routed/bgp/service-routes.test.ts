import { describe, expect, it } from 'vitest'
import type { EndpointSliceResource, ServiceResource } from '../../../kube/resources/core.ts'
import { type ServiceFacts, serviceRoutes } from './service-routes.ts'

const prefixes = { cluster: ['10.96.0.0/16'], external: ['203.0.113.0/24'], loadBalancer: ['198.51.100.0/24'] }

function service(name: string, spec: ServiceResource['spec'], ip?: string): ServiceResource {
  const status = ip === undefined ? {} : { loadBalancer: { ingress: [{ ip }] } }
  return { metadata: { name, namespace: 'default' }, spec: spec ?? {}, status }
}

function slice(name: string, nodeName: string, ready?: boolean): EndpointSliceResource {
  return {
    metadata: { name: `${name}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    endpoints: [{ addresses: ['10.244.1.5'], nodeName, ...(ready === undefined ? {} : { conditions: { ready } }) }],
  }
}

const routes = (change: Partial<ServiceFacts>): string[] =>
  serviceRoutes({ node: { metadata: { name: 'work01' } }, prefixes, services: [], slices: [], ...change })

const local = service(
  'web',
  {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    clusterIP: '10.96.0.7',
    externalIPs: ['203.0.113.9', '192.0.2.1'],
  },
  '198.51.100.4',
)

const whole = ['10.96.0.0/16', '198.51.100.0/24', '203.0.113.0/24']

describe('serviceRoutes', () => {
  it('are the listed prefixes, on every node', () => {
    expect(routes({})).toEqual(whole)
  })

  it('are single addresses of a service with the policy Local, where a ready endpoint is, inside the prefixes of their kind', () => {
    const single = ['10.96.0.7/32', '198.51.100.4/32', '203.0.113.9/32']
    expect(routes({ services: [local], slices: [slice('web', 'work01')] })).toEqual([...whole, ...single].sort())
  })

  it.each([
    ['elsewhere', slice('web', 'work02')],
    ['not ready', slice('web', 'work01', false)],
    ["another service's", slice('other', 'work01')],
  ])('are none of these where the endpoint is %s', (_, endpoint) => {
    expect(routes({ services: [local], slices: [endpoint] })).toEqual(whole)
  })

  it('are no single addresses of a service with the policy Cluster', () => {
    const cluster = service('web', { ...local.spec, externalTrafficPolicy: 'Cluster' }, '198.51.100.4')
    expect(routes({ services: [cluster], slices: [slice('web', 'work01')] })).toEqual(whole)
  })

  it('are a listed single address only for a service that has it', () => {
    const one = { cluster: [], external: ['203.0.113.9/32'], loadBalancer: [] }
    expect(routes({ prefixes: one })).toEqual([])
    expect(routes({ prefixes: one, services: [local], slices: [slice('web', 'work02')] })).toEqual([])
    expect(routes({ prefixes: one, services: [local], slices: [slice('web', 'work01')] })).toEqual(['203.0.113.9/32'])
    const cluster = service('web', { externalIPs: ['203.0.113.9'] })
    expect(routes({ prefixes: one, services: [cluster] })).toEqual(['203.0.113.9/32'])
  })

  it('are none on a node that is excluded from external load balancers', () => {
    const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' }
    const node = { metadata: { name: 'work01', labels } }
    expect(routes({ node, services: [local], slices: [slice('web', 'work01')] })).toEqual([])
  })

  it('are of both families', () => {
    const six = { cluster: ['fd00:96::/112'], external: [], loadBalancer: [] }
    const dual = service('web', { ...local.spec, clusterIPs: ['10.96.0.7', 'fd00:96::7'] })
    expect(routes({ prefixes: six, services: [dual], slices: [slice('web', 'work01')] })).toEqual([
      'fd00:96::/112',
      'fd00:96::7/128',
    ])
  })
})

import { describe, expect, it } from 'vitest'
import type { NodeResource } from '../../kube/resources/core.ts'
import { parseAsNumber, shownAsNumber, toVirtualNode, type VirtualNode, virtualNodePatch } from './virtual-node.ts'

const core: NodeResource = {
  metadata: {
    name: 'master01',
    uid: 'u1',
    resourceVersion: '7',
    labels: { 'route-reflector': 'true', 'kubernetes.io/hostname': 'master01' },
    annotations: { 'projectcalico.org/IPv4Address': '192.168.100.10/24', other: 'kept' },
  },
  spec: { podCIDRs: ['10.244.0.0/24'] },
  status: {
    addresses: [
      { type: 'InternalIP', address: '192.168.122.10' },
      { type: 'Hostname', address: 'master01' },
    ],
  },
}

function withBgp(bgp: NonNullable<VirtualNode['spec']>['bgp']): VirtualNode {
  return { metadata: { name: 'master01' }, spec: bgp === undefined ? {} : { bgp } }
}

describe('toVirtualNode', () => {
  it("shows the article's node", () => {
    expect(toVirtualNode(core)).toMatchObject({
      apiVersion: 'projectcalico.org/v3',
      kind: 'Node',
      metadata: {
        name: 'master01',
        resourceVersion: '7',
        annotations: {
          'projectcalico.org/kube-labels': '{"kubernetes.io/hostname":"master01","route-reflector":"true"}',
        },
      },
      spec: {
        addresses: [
          { address: '192.168.100.10/24', type: 'CalicoNodeIP' },
          { address: '192.168.122.10', type: 'InternalIP' },
        ],
        bgp: { ipv4Address: '192.168.100.10/24' },
        orchRefs: [{ nodeName: 'master01', orchestrator: 'k8s' }],
      },
      status: { podCIDRs: ['10.244.0.0/24'] },
    })
  })

  it('ignores an AS number annotation that is none', () => {
    const broken = { ...core, metadata: { ...core.metadata, annotations: { 'projectcalico.org/ASNumber': 'many' } } }
    expect(toVirtualNode(broken).spec).not.toHaveProperty('bgp')
  })
})

describe('virtualNodePatch', () => {
  it('sets what the node says and removes what it does not', () => {
    const patch = virtualNodePatch(
      withBgp({ asNumber: 63400, ipv4Address: '192.168.100.10/24', routeReflectorClusterID: '192.168.100.10' }),
    )
    expect(patch).toEqual({
      type: 'merge',
      body: {
        metadata: {
          annotations: {
            'projectcalico.org/IPv4Address': '192.168.100.10/24',
            'projectcalico.org/IPv6Address': null,
            'projectcalico.org/ASNumber': '63400',
            'projectcalico.org/RouteReflectorClusterID': '192.168.100.10',
          },
        },
      },
    })
  })

  it('gives back what it was made from', () => {
    const { body } = virtualNodePatch(toVirtualNode(core)) as { body: { metadata: { annotations: object } } }
    expect(body.metadata.annotations).toMatchObject({ 'projectcalico.org/IPv4Address': '192.168.100.10/24' })
  })

  it.each([
    [{ asNumber: 4_294_967_296 }, 'spec.bgp.asNumber'],
    [{ ipv4Address: '192.168.100.300' }, 'spec.bgp.ipv4Address'],
    [{ ipv4Address: 'fd00::1/64' }, 'spec.bgp.ipv4Address'],
    [{ routeReflectorClusterID: '10' }, 'spec.bgp.routeReflectorClusterID'],
  ])('refuses %j and names the field', (bgp, field) => {
    expect(() => virtualNodePatch(withBgp(bgp))).toThrow(field)
  })
})

describe('AS numbers', () => {
  it('may be plain or two halves with a dot', () => {
    expect(parseAsNumber('63400')).toBe(63400)
    expect(parseAsNumber('1.10')).toBe(65546)
    expect(parseAsNumber('1.65536')).toBeUndefined()
    expect(parseAsNumber('-1')).toBeUndefined()
  })

  it("stand in parentheses when they are the cluster's", () => {
    expect(shownAsNumber(withBgp({ asNumber: 63400 }))).toBe('63400')
    expect(shownAsNumber(withBgp({}))).toBe('(64512)')
  })
})

import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { convertObject } from './convert.ts'

const v3 = (object: object) => convertObject(object as KubeObject, 'v3')
const served = (kind: string, name: string, spec: object) => ({
  object: { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec },
})

describe("an object of calicoctl's first API", () => {
  test.each([
    [
      'a pool with tunnels across subnets',
      {
        kind: 'ipPool',
        metadata: { cidr: '192.168.0.0/16' },
        spec: { ipip: { enabled: true, mode: 'cross-subnet' }, 'nat-outgoing': true },
      },
      served('IPPool', '192-168-0-0-16', {
        cidr: '192.168.0.0/16',
        blockSize: 26,
        ipipMode: 'CrossSubnet',
        vxlanMode: 'Never',
        natOutgoing: true,
        disabled: false,
        nodeSelector: 'all()',
      }),
    ],
    [
      'a peer of all nodes',
      { kind: 'bgpPeer', metadata: { scope: 'global', peerIP: '192.0.2.1' }, spec: { asNumber: '64512' } },
      served('BGPPeer', '192-0-2-1', { peerIP: '192.0.2.1', asNumber: 64512 }),
    ],
    [
      'a peer of one node, by IPv6, its AS number in the dotted form',
      {
        kind: 'bgpPeer',
        metadata: { scope: 'node', node: 'Rack1_Host', peerIP: '2001:db8::1' },
        spec: { asNumber: '1.10' },
      },
      served('BGPPeer', 'rack1-host.2001-0db8-0000-0000-0000-0000-0000-0001', {
        node: 'rack1-host',
        peerIP: '2001:db8::1',
        asNumber: 65546,
      }),
    ],
    [
      'a node',
      { kind: 'node', metadata: { name: 'work01' }, spec: { bgp: { ipv4Address: '10.0.0.1', asNumber: 64512 } } },
      served('Node', 'work01', { bgp: { ipv4Address: '10.0.0.1', asNumber: 64512 } }),
    ],
  ])('is written as v3: %s', (_what, object, expected) => {
    expect(v3({ apiVersion: 'v1', ...object })).toEqual(expected)
  })

  test.each([
    [
      { kind: 'bgpPeer', metadata: { scope: 'rack', peerIP: '192.0.2.1' } },
      'metadata.scope: "rack" is neither global nor node',
    ],
    [
      { kind: 'bgpPeer', metadata: { scope: 'global', node: 'a', peerIP: '192.0.2.1' } },
      'metadata.node: cannot be set when scope is global',
    ],
    [
      { kind: 'bgpPeer', metadata: { scope: 'global', peerIP: 'tor1' } },
      'metadata.peerIP: "tor1" is not an IP address',
    ],
    [{ kind: 'ipPool', metadata: {} }, 'metadata.cidr: is missing'],
    [{ kind: 'node', metadata: { name: 'a' }, spec: { bgp: {} } }, 'Node'],
  ])('is refused with the field that is wrong: %o', (object, message) => {
    const convert = (): unknown => v3({ apiVersion: 'v1', ...object })
    if (message === 'Node') expect(convert).toThrow('spec.bgp: has neither ipv4Address nor ipv6Address')
    else expect(convert).toThrow(message)
  })

  test('that only Calico has is left out, and so is what is of Kubernetes', () => {
    for (const kind of ['policy', 'profile', 'Pod', 'Node']) {
      expect(v3({ apiVersion: 'v1', kind, metadata: { name: 'x' } })).toEqual({ leftOut: 'Twinlane has no such kind' })
    }
  })
})

describe("an object of Calico's storage", () => {
  const stored = {
    apiVersion: 'crd.projectcalico.org/v1',
    kind: 'IPPool',
    metadata: {
      name: 'main',
      uid: 'u',
      resourceVersion: '7',
      annotations: { 'projectcalico.org/metadata': '{"labels":{"zone":"a"},"annotations":{"owner":"me"}}' },
    },
    spec: { cidr: '10.244.0.0/16' },
  }

  test('is written as v3 with the labels and annotations that it keeps in one, and without what its cluster knows', () => {
    expect(v3(stored)).toEqual({
      object: {
        apiVersion: 'projectcalico.org/v3',
        kind: 'IPPool',
        metadata: { name: 'main', labels: { zone: 'a' }, annotations: { owner: 'me' } },
        spec: { cidr: '10.244.0.0/16' },
      },
    })
  })

  test('is the same again after both ways', () => {
    const there = v3(stored)
    if (!('object' in there)) throw new Error('left out')
    const back = convertObject(there.object, 'crd')
    if (!('object' in back)) throw new Error('left out')
    expect(back.object.apiVersion).toBe('crd.projectcalico.org/v1')
    expect(v3(back.object)).toEqual(there)
  })

  test('is refused when what it keeps is damaged', () => {
    const damaged = { ...stored, metadata: { name: 'main', annotations: { 'projectcalico.org/metadata': '{' } } }
    expect(() => v3(damaged)).toThrow('metadata.annotations.projectcalico.org/metadata: is not JSON')
  })
})

import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/resources/meta.ts'
import { checkRoutedResource } from '../check-resource.ts'

const noCluster = {
  kube: { list: async () => ({ metadata: {}, items: [] }), find: async () => undefined },
  before: undefined,
}

async function problems(kind: string, spec: object, name = 'default'): Promise<string[]> {
  const object = { apiVersion: 'projectcalico.org/v3', kind, metadata: { name }, spec } as KubeObject
  const found = await checkRoutedResource(object, noCluster)
  return found.map(({ field, reason }) => `${field}: ${reason}`)
}

const cases: readonly [kind: string, spec: object, expected: string | undefined][] = [
  ['BGPPeer', { peerIP: '192.0.2.1', asNumber: 65_000 }, undefined],
  ['BGPPeer', { peerIP: '192.0.2.1:1790', reachableBy: '192.0.2.254' }, undefined],
  ['BGPPeer', { peerIP: '[fd00::1]:1790', nodeSelector: "rack == 'a'", maxRestartTime: '1m30s' }, undefined],
  ['BGPPeer', { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" }, undefined],
  ['BGPPeer', { node: '', nodeSelector: 'all()', peerSelector: 'has(rr)', peerIP: '' }, undefined],
  [
    'BGPPeer',
    { peerIP: '999.999.999.999' },
    'spec.peerIP: "999.999.999.999" is not an address, or an address with a port',
  ],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1:99999' },
    'spec.peerIP: "192.0.2.1:99999" is not an address, or an address with a port',
  ],
  ['BGPPeer', {}, 'spec.peerIP: is empty, and so is peerSelector: no peer'],
  [
    'BGPPeer',
    { peerIP: '192.0.2.1', node: 'a', nodeSelector: 'all()' },
    'spec.nodeSelector: cannot be set together with node',
  ],
  ['BGPPeer', { peerSelector: 'all()', asNumber: 1 }, 'spec.asNumber: cannot be set together with peerSelector'],
  ['BGPPeer', { peerSelector: 'rr == true' }, 'spec.peerSelector: '],
  [
    'BGPPeer',
    { peerSelector: 'all()', reachableBy: '192.0.2.1' },
    'spec.reachableBy: must be empty when peerIP is empty',
  ],
  ['BGPPeer', { peerIP: '192.0.2.1', reachableBy: 'fd00::1' }, 'spec.reachableBy: fd00::1 is not an address of IPv4'],
  ['BGPPeer', { peerIP: '192.0.2.1', maxRestartTime: '5 minutes' }, 'spec.maxRestartTime: "5 minutes" is not a time'],
  ['BGPConfiguration', { asNumber: 63_400, nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: '120s' }, undefined],
  [
    'BGPConfiguration',
    { serviceClusterIPs: [{ cidr: '10.96.0.0/16' }, { cidr: '10.97.0.1/16' }] },
    'spec.serviceClusterIPs[1].cidr: ',
  ],
  [
    'BGPConfiguration',
    {
      communities: [{ name: 'a', value: '1:2' }],
      prefixAdvertisements: [{ cidr: '10.0.0.0/8', communities: ['a', '3:4', 'b'] }],
    },
    'spec.prefixAdvertisements[0].communities[2]: "b" is neither a community such as 64512:1 nor a name in spec.communities',
  ],
  [
    'BGPFilter',
    { importV4: [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 16, max: 24 }, action: 'Accept' }] },
    undefined,
  ],
  [
    'BGPFilter',
    { exportV6: [{ action: 'Accept' }, { cidr: '10.0.0.0/8', matchOperator: 'In', action: 'Accept' }] },
    'spec.exportV6[1].cidr: 10.0.0.0/8 is not a prefix of IPv6',
  ],
  [
    'BGPFilter',
    { importV4: [{ cidr: '10.0.0.0/8', action: 'Accept' }] },
    'spec.importV4[0].cidr: means nothing without matchOperator',
  ],
  [
    'BGPFilter',
    { importV4: [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24, max: 16 }, action: 'Reject' }] },
    'spec.importV4[0].prefixLength.min: 24 is more than max, 16',
  ],
  [
    'BGPFilter',
    { importV4: [{ cidr: '10.0.0.0/16', matchOperator: 'In', prefixLength: { max: 12 }, action: 'Reject' }] },
    'spec.importV4[0].prefixLength.max: 12 is less than the length of 10.0.0.0/16',
  ],
  [
    'BGPFilter',
    { importV4: [{ cidr: '10.0.0.0/16', matchOperator: 'Equal', prefixLength: { max: 24 }, action: 'Reject' }] },
    'spec.importV4[0].prefixLength: means nothing with matchOperator Equal',
  ],
  ['IPReservation', { reservedCIDRs: ['10.244.0.0/30', '10.244.0.9', 'fd00::/120'] }, undefined],
  ['IPReservation', { reservedCIDRs: ['10.244.0.0/30', '10.244.0.999'] }, 'spec.reservedCIDRs[1]: '],
  ['IPAMConfiguration', { strictAffinity: true, autoAllocateBlocks: false }, undefined],
  [
    'IPAMConfiguration',
    { autoAllocateBlocks: false },
    'spec.autoAllocateBlocks: cannot be false while strictAffinity is false',
  ],
]

describe('an object of the routed network', () => {
  test.each(cases)('%s %j is judged in the words of its field', async (kind, spec, expected) => {
    const [first = 'nothing', ...others] = await problems(kind, spec)
    if (expected === undefined) expect(first).toBe('nothing')
    else expect(first.slice(0, expected.length)).toBe(expected)
    expect(others).toEqual([])
  })

  test('a BGPConfiguration is that of the cluster or of a node, and a node has no AS number of its own there', async () => {
    expect(await problems('BGPConfiguration', { listenPort: 1790 }, 'node.work01')).toEqual([])
    expect(await problems('BGPConfiguration', {}, 'defualt')).toEqual([
      expect.stringMatching(/^metadata\.name: "defualt" is asked by/),
    ])
    expect(await problems('BGPConfiguration', { asNumber: 1 }, 'node.work01')).toEqual([
      'spec.asNumber: belongs into the BGPConfiguration named default',
    ])
  })
})

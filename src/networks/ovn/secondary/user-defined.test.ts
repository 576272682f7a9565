import { expect, test } from 'vitest'
import type { NetworkAttachmentDefinition } from '../../../kube/resources/net-attach-def.ts'
import type { UserDefinedSpec } from '../resources/user-defined-network.ts'
import { planDefinitions, type UserDefinedInput } from './plan-definitions.ts'
import { matchesSelector, renderUserDefined } from './user-defined.ts'

const layer2 = { topology: 'Layer2', layer2: { role: 'Secondary', subnets: ['10.1.0.0/24'] } }

function udn(spec: UserDefinedSpec = layer2, name = 'blue') {
  return { metadata: { name, namespace: 'ns1', uid: `uid of ${name}` }, spec }
}

function cudn(matchLabels: Record<string, string>) {
  return { metadata: { name: 'red', uid: 'uid of red' }, spec: { namespaceSelector: { matchLabels }, network: layer2 } }
}

const namespaces = [
  { metadata: { name: 'ns1', labels: { team: 'a' } } },
  { metadata: { name: 'ns2', labels: { team: 'a' } } },
  { metadata: { name: 'ns3' } },
]

function plan(input: Partial<UserDefinedInput>) {
  const none = { networks: [], clusterNetworks: [], definitions: [], refusalOf: () => undefined }
  return planDefinitions({ ...none, namespaces, ...input })
}

const keys = (list: readonly NetworkAttachmentDefinition[]) =>
  list.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)

test('each topology becomes the configuration that a person would write', () => {
  expect(JSON.parse(renderUserDefined('ns1.blue', 'ns1/blue', layer2))).toEqual({
    cniVersion: '1.0.0',
    type: 'ovn-k8s-cni-overlay',
    name: 'ns1.blue',
    netAttachDefName: 'ns1/blue',
    topology: 'layer2',
    role: 'secondary',
    subnets: '10.1.0.0/24',
  })
  const layer3 = {
    role: 'Secondary',
    mtu: 1300,
    subnets: [{ cidr: '10.2.0.0/16', hostSubnet: 26 }, { cidr: 'fd02::/48' }],
  }
  expect(JSON.parse(renderUserDefined('n', 'ns1/n', { topology: 'Layer3', layer3 }))).toMatchObject({
    topology: 'layer3',
    mtu: 1300,
    subnets: '10.2.0.0/16/26,fd02::/48',
  })
  const localnet = {
    role: 'Secondary',
    physicalNetworkName: 'tenants',
    subnets: ['10.4.0.0/24'],
    excludeSubnets: ['10.4.0.0/28'],
    vlan: { mode: 'Access', access: { id: 20 } },
    ipam: { lifecycle: 'Persistent' },
  }
  expect(JSON.parse(renderUserDefined('n', 'ns1/n', { topology: 'Localnet', localnet }))).toMatchObject({
    physicalNetworkName: 'tenants',
    vlanID: 20,
    excludeSubnets: '10.4.0.0/28',
    allowPersistentIPs: true,
  })
})

test('the older and the newer form of persistence mean the same', () => {
  for (const more of [{ ipamLifecycle: 'Persistent' }, { ipam: { lifecycle: 'Persistent' } }]) {
    const spec = { topology: 'Layer2', layer2: { ...layer2.layer2, ...more } }
    expect(JSON.parse(renderUserDefined('n', 'ns1/n', spec))).toMatchObject({ allowPersistentIPs: true })
  }
})

test.each([
  [{ topology: 'Layer2', layer2: { role: 'Primary' } }, 'spec.layer2.role: Primary is not supported'],
  [{ topology: 'Layer2' }, 'spec.layer2: is missing for this topology'],
  [{ topology: 'Layer9' }, 'spec.topology: "Layer9" is neither'],
  [{ topology: 'Layer3', layer3: { role: 'Secondary' } }, 'subnets: is missing'],
  [
    { topology: 'Layer2', layer2: { role: 'Secondary', ipam: { lifecycle: 'Persistent' } } },
    'Persistent needs subnets',
  ],
  [
    { topology: 'Layer2', layer2: { ...layer2.layer2, ipam: { mode: 'Disabled' } } },
    'has no meaning with ipam.mode Disabled',
  ],
])('%j gets a condition with the reason and no definition', (spec, reason) => {
  const { create, conditions } = plan({ networks: [udn(spec)] })
  expect(create).toEqual([])
  expect(conditions[0]?.condition).toMatchObject({ type: 'NetworkCreated', status: 'False', reason: 'SyncError' })
  expect(conditions[0]?.condition.message).toContain(reason)
})

test('a network of a namespace gets one definition, owned by it', () => {
  const { create, conditions } = plan({ networks: [udn()] })
  expect(create[0]).toMatchObject({
    metadata: {
      name: 'blue',
      namespace: 'ns1',
      labels: { 'k8s.ovn.org/user-defined-network': '' },
      ownerReferences: [{ kind: 'UserDefinedNetwork', name: 'blue', uid: 'uid of blue', controller: true }],
    },
  })
  expect(conditions[0]?.condition).toEqual({
    type: 'NetworkCreated',
    status: 'True',
    reason: 'NetworkAttachmentDefinitionCreated',
    message: 'NetworkAttachmentDefinition has been created',
  })
})

test('a network of the cluster gets one in each namespace that it selects, all of one network', () => {
  const { create, conditions } = plan({ clusterNetworks: [cudn({ team: 'a' })] })
  expect(keys(create)).toEqual(['ns1/red', 'ns2/red'])
  expect(create.map(({ spec }) => JSON.parse(spec?.config ?? '').name)).toEqual(['cluster.udn.red', 'cluster.udn.red'])
  expect(conditions[0]?.condition.message).toMatch(/in following namespaces: \[ns1, ns2\]/)
  expect(keys(plan({ clusterNetworks: [cudn({ 'kubernetes.io/metadata.name': 'ns3' })] }).create)).toEqual(['ns3/red'])
})

test('what is as it should be is left alone, what differs is changed, what nobody wants any more goes', () => {
  const made = plan({ networks: [udn()], clusterNetworks: [cudn({ team: 'a' })] }).create
  const again = plan({ networks: [udn()], clusterNetworks: [cudn({ team: 'a' })], definitions: made })
  expect([again.create, again.update, again.remove].flat()).toEqual([])
  const changed = udn({ topology: 'Layer2', layer2: { role: 'Secondary' } })
  expect(keys(plan({ networks: [changed], definitions: made }).update)).toEqual(['ns1/blue'])
  expect(keys(plan({ networks: [changed], definitions: made }).remove)).toEqual(['ns1/red', 'ns2/red'])
})

test("somebody else's definition of the same name is neither changed nor removed", () => {
  const foreign = { metadata: { name: 'blue', namespace: 'ns1' }, spec: { config: '{}' } }
  const { create, update, remove, conditions } = plan({ networks: [udn()], definitions: [foreign] })
  expect([create, update, remove].flat()).toEqual([])
  expect(conditions[0]?.condition.message).toMatch(/ns1\/blue is there already and belongs to something else/)
})

test('a definition that is there and cannot be used is told in the condition', () => {
  const { conditions } = plan({ networks: [udn()], refusalOf: () => 'subnets: overlaps' })
  expect(conditions[0]?.condition).toMatchObject({ status: 'False', message: 'subnets: overlaps' })
})

test.each([
  [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['1', '2'] }] }, true],
  [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, false],
  [{ matchExpressions: [{ key: 'b', operator: 'NotIn', values: ['1'] }] }, true],
  [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, true],
  [{ matchExpressions: [{ key: 'b', operator: 'DoesNotExist' }] }, true],
  [{ matchLabels: { a: '1' }, matchExpressions: [{ key: 'b', operator: 'Exists' }] }, false],
  [{}, true],
])('the selector %j on {a: 1} is %s', (selector, isMatch) => {
  expect(matchesSelector(selector, { a: '1' })).toBe(isMatch)
})

import { expect, test } from 'vitest'
import type { NetworkAttachmentDefinition } from '../../../kube/resources/net-attach-def.ts'
import { collectNetworks } from './network-set.ts'
import { selectSecondary } from './select.ts'

const reserved = [{ cidr: '10.96.0.0/16', what: 'the services' }]

function nad(
  name: string,
  keys: object,
  { network = name, createdAt = '2026-01-01T00:00:00Z' } = {},
): NetworkAttachmentDefinition {
  const own = { cniVersion: '1.0.0', name: network, type: 'ovn-k8s-cni-overlay', netAttachDefName: `ns/${name}` }
  const metadata = { name, namespace: 'ns', creationTimestamp: createdAt }
  return { metadata, spec: { config: JSON.stringify({ ...own, topology: 'layer2', ...keys }) } }
}

const reasons = (nads: NetworkAttachmentDefinition[]) =>
  collectNetworks(nads, reserved).refusals.map(({ reason }) => reason)

test('definitions of one network that agree share it', () => {
  const set = collectNetworks([nad('a', {}, { network: 'blue' }), nad('b', {}, { network: 'blue' })], reserved)
  expect([...set.networks.keys()]).toEqual(['blue'])
  expect(set.byNad.get('ns/a')).toEqual(set.byNad.get('ns/b'))
  expect([...set.byNad.keys()]).toEqual(['ns/a', 'ns/b'])
})

test('where they do not agree the older one is right, whatever the order of the list', () => {
  const older = nad('z', { subnets: '10.1.0.0/24' }, { network: 'blue' })
  const younger = nad('a', { subnets: '10.2.0.0/24' }, { network: 'blue', createdAt: '2026-01-02T00:00:00Z' })
  for (const list of [
    [older, younger],
    [younger, older],
  ]) {
    const set = collectNetworks(list, reserved)
    expect([...set.byNad.keys()]).toEqual(['ns/z'])
    expect(set.refusals[0]?.nad.metadata.name).toBe('a')
  }
})

test('what cannot be used is refused with the reason', () => {
  expect(reasons([nad('a', { netAttachDefName: 'ns/other' })])[0]).toMatch(
    /"ns\/other" is not ns\/a, where this configuration is/,
  )
  expect(reasons([nad('a', { role: 'primary' })])[0]).toMatch(/primary networks are not supported/)
  expect(reasons([nad('a-b', {}), nad('a.b', {})])[0]).toMatch(/"a.b" has the same names in OVN as network "a-b"/)
  expect(reasons([nad('a', { subnets: '10.96.4.0/24' })])[0]).toMatch(
    /10.96.4.0\/24 overlaps the services 10.96.0.0\/16/,
  )
})

test('an overlap whose part is excluded does no harm', () => {
  expect(reasons([nad('a', { subnets: '10.0.0.0/8', excludeSubnets: '10.96.0.0/16' })])).toEqual([])
})

test('definitions of the cluster network and of other plugins are nothing to it', () => {
  const others = [
    nad('a', { topology: undefined }),
    nad('b', { type: 'bridge' }),
    { metadata: { name: 'c' }, spec: { config: '{' } },
  ]
  expect(collectNetworks(others, reserved)).toMatchObject({ networks: new Map(), refusals: [] })
})

test('a pod asks for the networks that it names, and keeps what it has of those that cannot be told', () => {
  const set = collectNetworks([nad('a', {}), nad('b', { role: 'primary' })], reserved)
  const named = (...names: string[]) => names.map((name) => ({ name, namespace: 'ns' }))
  const answer = selectSecondary({ selections: named('a', 'b', 'gone'), isReadable: true }, set)
  expect(answer.requests.map(({ nad }) => nad)).toEqual(['ns/a'])
  expect(['ns/a', 'ns/b', 'ns/gone', 'ns/other'].map(answer.keeps)).toEqual([true, true, true, false])
  expect(selectSecondary({ selections: [], isReadable: false }, set).keeps('ns/a')).toBe(true)
  const twice = selectSecondary({ selections: named('a', 'a'), isReadable: true }, set)
  expect(twice).toMatchObject({ requests: [], reason: expect.stringMatching(/ns\/a of OVN .* only once/) })
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NetworkAttachmentDefinition } from '../kube/resources/net-attach-def.ts'
import { parseMetaConfig } from '../meta/net-conf.ts'
import { readPodNetworks } from '../meta/select/pod-networks.ts'
import { selectNetworks } from '../meta/select-networks.ts'
import { findDriver } from '../networks/registry.ts'
import { lint } from './lint.ts'

const list = { cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico' }
const conf = parseMetaConfig({ cniVersion: '1.0.0', name: 'm', type: 'twinlane', delegates: [list] })

const definitions: NetworkAttachmentDefinition[] = [
  ['ovn', '{"cniVersion": "1.0.0", "type": "ovn-k8s-cni-overlay"}'],
  ['bridge', '{"cniVersion": "1.0.0", "type": "bridge", "capabilities": {"mac": true}}'],
  ['broken', '{"type": "bridge",,}'],
].map(([name = '', config]) => ({ metadata: { name, namespace: 'default' }, spec: { config: config ?? '' } }))

/** What the agent does with the annotation, all but the drivers' own work. */
function isAccepted(annotation: string): boolean {
  const pod = {
    metadata: { name: 'p', namespace: 'default', annotations: { 'k8s.v1.cni.cncf.io/networks': annotation } },
  }
  try {
    selectNetworks({
      conf,
      networks: readPodNetworks(pod, conf, 'eth0'),
      base:
        'delegates' in conf.networks
          ? conf.networks.delegates.map((each) => ({ networkName: each.name, list: each }))
          : [],
      podNamespace: 'default',
      defaultInterface: 'eth0',
      runtimeConfig: {},
      findDefinition: (namespace, name) =>
        definitions.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
      findFile: () => undefined,
      fileProblems: [],
      devices: new Map(),
      deviceInfoFile: () => '',
      findDriver,
      isInstalled: () => true,
      folders: [],
    })
    return true
  } catch {
    return false
  }
}

function isClean(annotation: string): boolean {
  const metadata = { name: 'p', namespace: 'default', annotations: { 'k8s.v1.cni.cncf.io/networks': annotation } }
  const findings = lint([{ kind: 'Pod', metadata }], { definitions, isComplete: true })
  return findings.every(({ severity }) => severity !== 'error')
}

const name = fc.constantFrom('ovn', 'bridge', 'broken', 'none', 'Bad_Name', '')
const element = fc.record(
  {
    name,
    namespace: fc.constantFrom('default', 'other'),
    interface: fc.constantFrom('eth1', 'eth0', 'lo', 'averylonginterface', 'net1'),
    mac: fc.constantFrom('0a:00:00:00:00:01', 'x'),
    ips: fc.constantFrom(['10.0.0.1'], ['nonsense'], []),
    'default-route': fc.constantFrom(['10.0.0.1'], ['x'], []),
  },
  { requiredKeys: ['name'] },
)
const annotation = fc.oneof(
  fc.array(element, { maxLength: 3 }).map((elements) => JSON.stringify(elements)),
  fc.array(name, { maxLength: 3 }).map((names) => names.join(',')),
  fc.string({ maxLength: 20 }),
)

test('what has no errors is accepted by the agent, what it refuses has one', () => {
  fc.assert(
    fc.property(annotation, (text) => {
      expect(isClean(text), text).toBe(isAccepted(text))
    }),
    { numRuns: 500 },
  )
})

test('examples of what the agent refuses have errors', () => {
  expect(
    ['none', 'broken', 'ovn@lo', 'ovn,ovn@net1', '[{"name": "bridge", "ips": ["10.0.0.1"]}]'].map(isClean),
  ).toEqual([false, false, false, false, false])
  expect(['ovn', 'bridge@eth1', '[{"name": "bridge", "mac": "0a:00:00:00:00:01"}]'].map(isClean)).toEqual([
    true,
    true,
    true,
  ])
})

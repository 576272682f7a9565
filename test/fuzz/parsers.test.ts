import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRecord } from '../../src/agent/attachment-record.ts'
import { readPodRef } from '../../src/agent/pod-lookup.ts'
import { TwinlaneError } from '../../src/base/errors.ts'
import { parseConfigList } from '../../src/cni/config.ts'
import { CniError } from '../../src/cni/errors.ts'
import { parseArgs, parseRequest } from '../../src/cni/parse-request.ts'
import { NetworkAnnotationError, parseNetworks } from '../../src/kube/resources/network-selection.ts'
import { parseMetaConfig } from '../../src/meta/net-conf.ts'
import { drivers } from '../../src/networks/registry.ts'
import { damaged, oddValues } from './support/arbitraries.ts'
import { inputs } from './support/runs.ts'

/** Resolves to what the task gives, or undefined when it throws one of these; anything else it throws is a crash. */
function resultOf<T>(task: () => T, refusal: new (...args: never[]) => Error): T | undefined {
  try {
    return task()
  } catch (error) {
    if (error instanceof refusal && error.message !== '') return undefined
    throw error
  }
}

const annotations = [
  'second',
  'default/second@eth1, third',
  '[{"name":"second","interface":"eth1","default-route":["10.144.0.1"]}]',
  '[{"name":"second", # a comment\n "ips":["10.0.0.5/24"],"mac":"02:00:00:00:00:01"}, {"name":"third","namespace":"a"}]',
]
const selectionKeys = [
  'name',
  'namespace',
  'interface',
  'ips',
  'mac',
  'default-route',
  'bandwidth',
  'cni-args',
  'portMappings',
]

describe('the networks annotation', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    damaged(annotations),
    oddValues(selectionKeys),
    fc.array(oddValues(selectionKeys), { maxLength: 3 }).map((items) => `[${items.join(',')}]`),
  )

  it('selects named networks or is refused as an annotation', () => {
    fc.assert(
      fc.property(text, (annotation) => {
        const parsed = resultOf(() => parseNetworks(annotation, 'default'), NetworkAnnotationError)
        for (const { name, namespace } of parsed?.selections ?? []) {
          expect(name).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/)
          expect(namespace).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
        }
      }),
      { numRuns: inputs(30_000) },
    )
  })
})

const configs = [
  '{"cniVersion":"1.0.0","name":"n","type":"calico","ipam":{"type":"calico-ipam"},"mtu":1400}',
  '{"cniVersion":"0.4.0","name":"n","type":"ovn-k8s-cni-overlay","netAttachDefName":"default/n"}',
  '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge","ipam":{"type":"host-local"}},{"type":"tuning"}]}',
  '{"cniVersion":"1.0.0","name":"n","type":"twinlane","delegates":[{"type":"calico","name":"d","cniVersion":"1.0.0"}]}',
]
const configKeys = [
  'cniVersion',
  'name',
  'type',
  'plugins',
  'delegates',
  'ipam',
  'mtu',
  'capabilities',
  'runtimeConfig',
  'args',
]

describe('a network configuration', () => {
  const text = fc.oneof(damaged(configs), oddValues(configKeys), fc.json({ maxDepth: 4 }))

  it('is a list of plugins with types or is refused, by every driver too', () => {
    fc.assert(
      fc.property(text, (config) => {
        const list = resultOf(() => parseConfigList(config, { defaultName: 'n' }), CniError)
        if (list === undefined) return
        expect(list.plugins.length).toBeGreaterThan(0)
        for (const { type } of list.plugins) expect(type).toMatch(/./)
        for (const driver of drivers) resultOf(() => driver.parseConfig(list), TwinlaneError)
      }),
      { numRuns: inputs(25_000) },
    )
  })
})

describe('what a runtime hands over', () => {
  const variable = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'eth0', 'c1', '/proc/self/ns/mnt', '/bin'),
  )
  const names = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH', 'CNI_ARGS'] as const
  const good = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/n', CNI_IFNAME: 'eth0', CNI_PATH: '/bin' }
  const env = fc.dictionary(fc.constantFrom(...names), variable).map((odd) => ({ ...good, ...odd }))

  it('is a request that a file can be named after, or is refused', () => {
    fc.assert(
      fc.property(env, fc.oneof(damaged(configs), oddValues(configKeys)), (variables, stdin) => {
        const request = resultOf(() => parseRequest({ pluginName: 'twinlane', env: variables, stdin }), CniError)
        if (request === undefined) return
        if (['ADD', 'DEL', 'CHECK'].includes(request.command))
          expect(request.containerId).toMatch(/^[A-Za-z0-9][\w.-]*$/)
        resultOf(() => parseMetaConfig(request.config), CniError)
      }),
      { numRuns: inputs(25_000) },
    )
  })

  it('names a whole pod, or none at all, or is refused', () => {
    const item = fc.tuple(
      fc.constantFrom('K8S_POD_NAMESPACE', 'K8S_POD_NAME', 'K8S_POD_UID', 'K8S_POD_INFRA_CONTAINER_ID', '__proto__'),
      fc.string({ maxLength: 4 }),
    )
    const text = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.array(item).map((items) => items.map(([key, value]) => `${key}=${value}`).join(';')),
    )
    fc.assert(
      fc.property(text, (args) => {
        const ref = resultOf(() => readPodRef({ args: parseArgs(args), containerId: 'c1' }), CniError)
        if (ref === undefined) return
        if (ref.namespace === '') expect(ref).toEqual({ namespace: '', name: 'c1', uid: '' })
        else expect(args).toContain('K8S_POD_NAMESPACE=')
      }),
      { numRuns: inputs(15_000) },
    )
  })
})

describe('a record on disk', () => {
  const record =
    '{"version":1,"state":"added","containerId":"c1","ifName":"eth0","netns":"/n","pod":{"namespace":"a","name":"b","uid":""},' +
    '"args":{},"isWholePod":true,"attachments":[{"driver":"routed","ifName":"eth0","networkName":"n","isDefault":true,' +
    '"requested":{},"args":{},"configList":{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"calico"}]}}]}'

  it('is whole or is refused', () => {
    fc.assert(
      fc.property(damaged([record]), (text) => {
        const parsed = resultOf(() => parseRecord(text), Error)
        if (parsed === undefined) return
        expect(['adding', 'added']).toContain(parsed.state)
        for (const { configList } of parsed.attachments) expect(Array.isArray(configList.plugins)).toBe(true)
      }),
      { numRuns: inputs(10_000) },
    )
  })
})

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CniResult } from '../../src/cni/result.ts'
import { lint, type ObjectFinding } from '../../src/lint/lint.ts'
import { drivers, findDriver } from '../../src/networks/registry.ts'
import { createFakeNetwork } from '../contract/fake-driver.ts'
import { damaged, oddValues } from './support/arbitraries.ts'
import { inputs } from './support/runs.ts'
import { frameOf, netns, ServedAgent } from './support/served-agent.ts'

const plugins = ['bridge', 'macvlan', 'tuning', 'portmap', 'host-local']
const netConf = JSON.stringify({
  cniVersion: '1.1.0',
  name: 'all',
  type: 'twinlane',
  delegates: [{ cniVersion: '1.0.0', name: 'default-network', type: 'calico' }],
})

/** Both families with a gateway each: whatever default route is asked for, there is a way. */
const result: CniResult = {
  interfaces: [],
  ips: [
    { address: '10.0.0.5/24', gateway: '10.0.0.1' },
    { address: 'fd00::5/64', gateway: 'fd00::1' },
  ],
  routes: [],
  dns: {},
}

/** The agent with its own drivers, whose work on the node is left out. */
let agent: ServedAgent
beforeAll(async () => {
  const all = drivers.map((driver) => {
    const fake = createFakeNetwork({ type: driver.name, resultOf: () => result })
    return { ...fake, driver }
  })
  agent = await ServedAgent.start({ all, find: findDriver }, { plugins })
})
afterAll(() => agent?.stop())

let count = 0
async function isAttached(): Promise<{ isAttached: boolean; message: unknown }> {
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: `c${++count}`,
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/none',
    CNI_ARGS: 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
  }
  const answer = await agent.send(frameOf(env, netConf))
  agent.forget()
  return { isAttached: answer?.code === 0, message: answer?.json?.msg }
}

function findings(): ObjectFinding[] {
  const pod = { kind: 'Pod', ...agent.pod }
  const definition = { kind: 'NetworkAttachmentDefinition', ...agent.definition }
  return lint([definition, pod], { isComplete: true })
}

/** What only a node knows: its files and its plugins. */
const needsNode = ['config-missing', 'unknown-type']

async function expectAgreement(): Promise<void> {
  const found = findings()
  fc.pre(!found.some(({ rule }) => needsNode.includes(rule)))
  const errors = found.filter(({ severity }) => severity === 'error').map(({ message }) => message)
  const { isAttached: agentAccepts, message } = await isAttached()
  expect(errors.length === 0, `lint: ${errors.join('; ') || 'no errors'}; agent: ${message ?? 'attached'}`).toBe(
    agentAccepts,
  )
}

const configs = [
  '{"cniVersion":"1.0.0","name":"n","type":"calico","ipam":{"type":"calico-ipam"},"mtu":1400}',
  '{"cniVersion":"0.4.0","name":"n","type":"ovn-k8s-cni-overlay","netAttachDefName":"default/second"}',
  '{"cniVersion":"1.0.0","type":"bridge","capabilities":{"ips":true,"mac":true},"ipam":{"type":"host-local"}}',
  '{"cniVersion":"1.0.0","plugins":[{"type":"macvlan"},{"type":"tuning","capabilities":{"mac":true}}]}',
  '{"cniVersion":"1.0.0","type":"bridge","keepOnDefaultNetwork":["pods","10.0.0.0/8"],"takeFromDefaultNetwork":["services"]}',
]
const configKeys = [
  ...['cniVersion', 'name', 'type', 'plugins', 'ipam', 'mtu', 'capabilities', 'keepOnDefaultNetwork'],
  ...['takeFromDefaultNetwork', 'netAttachDefName', 'feature_control', 'topology', 'subnets', 'role'],
]
const oddConfig = fc
  .tuple(fc.constantFrom('calico', 'ovn-k8s-cni-overlay', 'bridge'), oddValues(configKeys))
  .map(([type, odd]) => JSON.stringify({ cniVersion: '1.0.0', type, ...JSON.parse(odd) }))
const config = fc.oneof(damaged(configs), oddConfig, oddValues(configKeys))

const annotations = [
  'second',
  'default/second@eth1,second@eth2',
  '[{"name":"second","interface":"eth1","default-route":["10.0.0.1"],"mac":"02:00:00:00:00:01","ips":["10.0.0.9/24"]}]',
  '[{"name":"second", # which\n "namespace":"default"}, {"name":"second","interface":"net1"}]',
]
const element = fc.record(
  {
    name: fc.constantFrom('second', 'none', 'Bad_Name'),
    namespace: fc.constantFrom('default', 'other', ''),
    interface: fc.constantFrom('eth1', 'eth0', 'lo', 'net1', 'net2', 'averylonginterface'),
    mac: fc.constantFrom('0a:00:00:00:00:01', 'x', 5),
    ips: fc.constantFrom(['10.0.0.1'], ['10.0.0.1/24', 'fd00::9/64'], ['nonsense'], []),
    'default-route': fc.constantFrom(['10.0.0.1'], ['10.9.9.9', 'fd00::1'], ['x'], []),
    bandwidth: fc.constantFrom({ ingressRate: 1 }, {}),
    portMappings: fc.constantFrom([{ hostPort: 80, containerPort: 80 }], []),
    'cni-args': fc.constantFrom({ a: 'b' }, { type: 'bridge' }, { ipam: 5 }),
  },
  { requiredKeys: ['name'] },
)
const annotation = fc.oneof(
  damaged(annotations),
  fc.array(element, { maxLength: 3 }).map((elements) => JSON.stringify(elements)),
)

describe('lint without errors means that the agent attaches, and with errors that it refuses', () => {
  it('whatever the configuration of the network', async () => {
    agent.annotate('second@eth1')
    await fc.assert(
      fc.asyncProperty(config, async (text) => {
        agent.define(text)
        await expectAgreement()
      }),
      { numRuns: inputs(5000) },
    )
  })

  it("whatever the pod's annotation", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...configs), annotation, async (text, networks) => {
        agent.define(text)
        agent.annotate(networks)
        await expectAgreement()
      }),
      { numRuns: inputs(5000) },
    )
  })
})

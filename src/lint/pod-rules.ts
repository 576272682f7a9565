import { describeError, TwinlaneError } from '../base/errors.ts'
import { cidrContains, parseCidr } from '../base/ip.ts'
import type { NetworkConfigList } from '../cni/request.ts'
import type { Position } from '../kube/resources/commented-json.ts'
import type { PodResource } from '../kube/resources/core.ts'
import {
  defaultNetworkAnnotation,
  type NetworkAttachmentDefinition,
  networksAnnotation,
} from '../kube/resources/net-attach-def.ts'
import type { NetworkSelection } from '../kube/resources/network-selection.ts'
import { type MetaConfig, parseMetaConfig } from '../meta/net-conf.ts'
import { type PodNetworks, readPodNetworks, selectNetworks } from '../meta/select-networks.ts'
import { findConfig } from './definition-rules.ts'
import type { LintFacts } from './facts.ts'
import type { Problem } from './finding.ts'

const field = ['metadata', 'annotations', networksAnnotation]
const defaultInterface = 'eth0'

type PodRule = (pod: PodResource, facts: LintFacts) => Problem[]

/** Rules on one Pod. What the agent refuses is found by the agent's own functions. */
export const podRules: Readonly<Record<string, PodRule>> = {
  'networks-syntax': (pod) => {
    try {
      readPodNetworks(pod, conf(undefined), defaultInterface)
      return []
    } catch (error) {
      return [refusal(error)]
    }
  },
  'networks-nonstandard': (pod) =>
    (findNetworks(pod)?.warnings ?? []).map((message) => ({
      severity: 'warning',
      message,
      field: fieldOf(pod),
      at: positionIn(message),
    })),
  'network-unknown': (pod, facts) => eachSelection(pod, (selection) => unknownNetwork(selection, facts)),
  'network-refused': (pod, facts) => eachSelection(pod, (selection) => refusedNetwork(pod, selection, facts)),
  'gateway-subnet': (pod, facts) => eachSelection(pod, (selection) => gatewayProblems(selection, facts)),
}

function eachSelection(pod: PodResource, check: (selection: NetworkSelection) => Problem[]): Problem[] {
  const networks = findNetworks(pod)
  if (networks === undefined) return []
  const override = networks.defaultOverride === undefined ? [] : [networks.defaultOverride]
  return [...override, ...networks.selections].flatMap(check)
}

function unknownNetwork({ namespace, name }: NetworkSelection, facts: LintFacts): Problem[] {
  if (findDefinition(facts, namespace, name) !== undefined) return []
  const elsewhere = facts.definitions.find(({ metadata }) => metadata.name === name)?.metadata.namespace
  const hint = elsewhere === undefined ? '' : `, but there is one in namespace ${elsewhere}`
  const where = facts.isComplete ? 'there is' : 'these files have'
  return [
    {
      severity: facts.isComplete || elsewhere !== undefined ? 'error' : 'warning',
      message: `${where} no NetworkAttachmentDefinition ${namespace}/${name}${hint}`,
      fix:
        elsewhere === undefined
          ? 'Create it, or correct the name.'
          : `Write "${elsewhere}/${name}", or "namespace": "${elsewhere}" in the JSON form.`,
      field,
    },
  ]
}

/** The one selection as the agent would see it, beside a default network that is always right. */
function refusedNetwork(pod: PodResource, selection: NetworkSelection, facts: LintFacts): Problem[] {
  const { namespace, name } = selection
  const definition = findDefinition(facts, namespace, name)
  if (definition === undefined || findConfig(definition) === undefined) return []
  const networks: PodNetworks = { defaultOverride: undefined, selections: [selection], warnings: [] }
  try {
    selectNetworks({
      conf: conf(facts.isolatedTo),
      networks,
      base: [{ networkName: defaultList.name, list: defaultList }],
      podNamespace: pod.metadata.namespace ?? 'default',
      defaultInterface,
      runtimeConfig: {},
      // Devices are the kubelet's to give: not known yet.
      findDefinition: () => ({ ...definition, metadata: { ...definition.metadata, annotations: {} } }),
      findFile: () => undefined,
      fileProblems: [],
      devices: new Map(),
      deviceInfoFile: () => '',
      findDriver: (type) => facts.findDriver(type),
      isInstalled: () => true,
      folders: [],
    })
    return []
  } catch (error) {
    return [refusal(error)]
  }
}

function gatewayProblems(selection: NetworkSelection, facts: LintFacts): Problem[] {
  const definition = findDefinition(facts, selection.namespace, selection.name)
  const list = definition === undefined ? undefined : findConfig(definition)
  if (list === undefined) return []
  return (selection.defaultRoute ?? []).flatMap((gateway) => gatewayProblem(gateway, list, selection))
}

function gatewayProblem(gateway: string, list: NetworkConfigList, { namespace, name }: NetworkSelection): Problem[] {
  const [plugin] = list.plugins
  if (plugin !== undefined && ovnTypes.includes(plugin.type) && plugin.topology === undefined) {
    const message = `default-route ${gateway} is the gateway of one node's subnet of network ${namespace}/${name}: on every other node the node's own is used instead`
    return [{ severity: 'warning', message, fix: 'Nothing to do here; with Multus pin the pod to that node.', field }]
  }
  const subnets = subnetsOf(plugin?.ipam)
  if (subnets.length === 0 || subnets.some((subnet) => cidrContains(parseCidr(subnet), gateway))) return []
  const message = `default-route ${gateway} is not in the subnet of network ${namespace}/${name} (${subnets.join(', ')})`
  return [{ severity: 'error', message, fix: 'Name a gateway of that subnet.', field }]
}

const ovnTypes = ['ovn-k8s-cni-overlay', 'twinlane-ovn']

/** Subnets that host-local and static name in a configuration. */
function subnetsOf(ipam: unknown): string[] {
  const { subnet, ranges, addresses } = (ipam ?? {}) as Record<string, unknown>
  const inRanges = Array.isArray(ranges)
    ? ranges.flat().map((range) => (range as { subnet?: unknown } | null)?.subnet)
    : []
  const fixed = Array.isArray(addresses) ? addresses.map((item) => (item as { address?: unknown } | null)?.address) : []
  return [subnet, ...inRanges, ...fixed].filter(
    (text): text is string => typeof text === 'string' && /^[\da-fA-F.:]+\/\d+$/.test(text),
  )
}

/** undefined when the annotation cannot be read: another rule says so. */
function findNetworks(pod: PodResource): PodNetworks | undefined {
  try {
    return readPodNetworks(pod, conf(undefined), defaultInterface)
  } catch {
    return undefined
  }
}

function findDefinition(
  { definitions }: LintFacts,
  namespace: string,
  name: string,
): NetworkAttachmentDefinition | undefined {
  return definitions.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? 'default') === namespace)
}

const defaultList: NetworkConfigList = {
  cniVersion: '1.0.0',
  name: 'default',
  plugins: [{ cniVersion: '1.0.0', name: 'default', type: 'calico' }],
}

function conf(isolatedTo: readonly string[] | undefined): MetaConfig {
  return parseMetaConfig({
    cniVersion: '1.0.0',
    name: 'lint',
    type: 'twinlane',
    delegates: [defaultList],
    ...(isolatedTo === undefined ? {} : { namespaceIsolation: true, globalNamespaces: isolatedTo.join(',') }),
  })
}

function fieldOf({ metadata }: PodResource): string[] {
  const annotation =
    metadata.annotations?.[networksAnnotation] === undefined ? defaultNetworkAnnotation : networksAnnotation
  return ['metadata', 'annotations', annotation]
}

function refusal(error: unknown): Problem {
  const message = describeError(error)
  const fix = error instanceof TwinlaneError ? error.fix : undefined
  return { severity: 'error', message, fix, field, at: positionIn(message) }
}

/** The annotation's parser writes the place into its sentences. */
function positionIn(message: string): Position | undefined {
  const [, line, column] = /\bline (\d+)(?:, column (\d+)| \(first at column (\d+)\))?/.exec(message) ?? []
  return line === undefined ? undefined : { line: Number(line), column: Number(column ?? 1) }
}

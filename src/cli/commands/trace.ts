import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { NotFoundError, TwinlaneError } from '../../base/errors.ts'
import { isAddress } from '../../base/ip.ts'
import type { KubeClient } from '../../kube/api.ts'
import {
  endpointSlices,
  nodes as nodeType,
  type PodResource,
  pods as podType,
  services,
} from '../../kube/resources/core.ts'
import { networkStatusAnnotation } from '../../kube/resources/net-attach-def.ts'
import { defaultStateFolder } from '../../lab/state-folder.ts'
import type { NodeFacts } from '../../trace/facts.ts'
import { renderTrace } from '../../trace/render.ts'
import { type Trace, tracePod } from '../../trace/trace.ts'
import { addConnectionFlags, addNamespaceFlag, type ConnectionFlags, connect } from '../connection.ts'
import { type CliIo, print, UsageError } from '../io.ts'
import { labRunner, localRunner, type NodeRunner, templateRunner } from '../node-runner.ts'
import { podName } from '../targets.ts'

interface TraceFlags extends ConnectionFlags {
  interface?: string
  output?: 'json'
  state: string
  onNode?: string
}

export function registerTrace(program: Command, io: CliIo): void {
  const command = program
    .command('trace')
    .description(
      'Follow a packet from a pod to its destination, and the answer back: which rule and which route the kernels take,\n' +
        "where BIRD has the route from, source NAT, OVN's path and the datapath's actions, and whether both go the same way.\n" +
        'It sends nothing. Nodes are asked by running "twinlane node facts" on them: in the lab of this folder, by --on-node,\n' +
        'or, without either, on this node alone. Exit code 1 unless the way is symmetric.',
    )
    .argument('<pod>', 'name of the pod')
    .argument('<destination>', 'ADDRESS, [ADDRESS]:PORT, ADDRESS:PORT, or a pod with or without :PORT')
    .option('--interface <name>', "send from this interface's address; else the kernel chooses")
    .addOption(new Option('-o, --output <format>', 'instead of text').choices(['json']))
    .option('--state <dir>', 'folder of the lab', defaultStateFolder)
    .option('--on-node <command>', 'how to run a command on a node, with {node} for its name: "ssh root@{node}"')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane trace busybox3 203.0.113.1\n  twinlane trace busybox3 web:80 --interface eth1\n' +
        '  twinlane trace busybox3 10.244.5.6 --on-node "ssh root@{node}"',
    )
  addNamespaceFlag(addConnectionFlags(command)).action(async (pod: string, destination: string, flags: TraceFlags) => {
    const { client, namespace } = await connect(io, flags)
    try {
      const trace = await run(io, { client, flags, namespace, pod: podName(pod), destination })
      print(io, flags.output === 'json' ? JSON.stringify(trace, undefined, 2) : renderTrace(trace))
      if (trace.verdict !== 'symmetric') io.setExitCode(1)
    } finally {
      await client.close()
    }
  })
}

async function run(
  io: CliIo,
  wanted: { client: KubeClient; flags: TraceFlags; namespace: string; pod: string; destination: string },
): Promise<Trace> {
  const { client, flags, namespace, pod: name } = wanted
  const pod = await client.get(podType, name, namespace)
  const target = parseDestination(wanted.destination)
  const { items } = await client.list(podType)
  const located = await locate(client, { target, pods: items, namespace, interfaceName: flags.interface })
  const names = [...new Set([pod.spec?.nodeName, ...located.nodes].filter((each) => each !== undefined))]
  const runner = await chooseRunner(io, flags)
  const facts = await Promise.all(names.map((each) => askNode(runner, each)))
  return await tracePod(
    { nodes: facts, run: runner },
    { pod: { namespace, name }, destination: located.address, tcpPort: target.port, interfaceName: flags.interface },
  )
}

async function chooseRunner(io: CliIo, flags: TraceFlags): Promise<NodeRunner> {
  if (flags.onNode !== undefined) return templateRunner(flags.onNode)
  try {
    return await labRunner(resolve(io.cwd, flags.state))
  } catch (error) {
    if (error instanceof NotFoundError) return localRunner()
    throw error
  }
}

async function askNode(runner: NodeRunner, node: string): Promise<NodeFacts> {
  const facts = JSON.parse(await runner(node, ['twinlane', 'node', 'facts'])) as NodeFacts
  if (facts.node === node) return facts
  throw new TwinlaneError(`this is ${facts.node}, and ${node} must be asked too`, {
    fix: 'say how to run a command there with --on-node, such as --on-node "ssh root@{node}"',
  })
}

interface Target {
  readonly host: string
  readonly port: number | undefined
}

function parseDestination(text: string): Target {
  if (isAddress(text)) return { host: text, port: undefined }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || (bracketed !== undefined && !isAddress(bracketed))) {
    throw new UsageError(`"${text}" is no destination`, { fix: 'write ADDRESS, ADDRESS:PORT, [IPv6]:PORT or a pod' })
  }
  return { host, port: port === undefined ? undefined : Number(port) }
}

/** The destination's address, and the nodes that its pod, its host or a service's endpoints are on. */
interface Located {
  readonly address: string
  readonly nodes: readonly (string | undefined)[]
}

async function locate(
  client: KubeClient,
  options: { target: Target; pods: readonly PodResource[]; namespace: string; interfaceName: string | undefined },
): Promise<Located> {
  const { target, pods, namespace } = options
  if (!isAddress(target.host)) return ofPod(await findPod(pods, target.host, namespace), options.interfaceName)
  const owner = pods.find((pod) => addressesOf(pod).some(({ ips }) => ips.includes(target.host)))
  if (owner !== undefined) return { address: target.host, nodes: [owner.spec?.nodeName] }
  const { items } = await client.list(nodeType)
  const host = items.find(({ status }) => status?.addresses?.some(({ address }) => address === target.host))
  if (host !== undefined) return { address: target.host, nodes: [host.metadata.name] }
  return { address: target.host, nodes: await endpointNodes(client, target.host) }
}

/** Of the service that has this address, if one has. */
async function endpointNodes(client: KubeClient, address: string): Promise<(string | undefined)[]> {
  const { items } = await client.list(services)
  const service = items.find(({ spec }) => spec?.clusterIPs?.includes(address) === true)
  if (service === undefined) return []
  const labelSelector = `kubernetes.io/service-name=${service.metadata.name}`
  const slices = await client.list(endpointSlices, { namespace: service.metadata.namespace, labelSelector })
  return slices.items.flatMap(({ endpoints }) => endpoints.map(({ nodeName }) => nodeName))
}

async function findPod(pods: readonly PodResource[], text: string, namespace: string): Promise<PodResource> {
  const [name = '', inside = namespace] = text.split('/').reverse()
  const found = pods.find(({ metadata }) => metadata.name === name && metadata.namespace === inside)
  if (found !== undefined) return found
  throw new NotFoundError(`there is no pod ${inside}/${name}, and "${text}" is no address`)
}

/** Of the interface that the packet is sent from, where the pod has one of that name; else its first address. */
function ofPod(pod: PodResource, interfaceName: string | undefined): Located {
  const all = addressesOf(pod)
  const own = all.find((each) => each.interface === interfaceName) ?? all[0]
  const address = own?.ips[0]
  if (address !== undefined) return { address, nodes: [pod.spec?.nodeName] }
  throw new NotFoundError(`pod ${pod.metadata.namespace}/${pod.metadata.name} has no address yet`)
}

function addressesOf({ metadata, status }: PodResource): { interface: string | undefined; ips: readonly string[] }[] {
  const told = status?.podIP === undefined ? [] : [{ interface: 'eth0', ips: [status.podIP] }]
  try {
    const list = JSON.parse(metadata.annotations?.[networkStatusAnnotation] ?? '[]') as {
      interface?: string
      ips?: string[]
    }[]
    return [...told, ...list.map((each) => ({ interface: each.interface, ips: each.ips ?? [] }))]
  } catch {
    return told
  }
}

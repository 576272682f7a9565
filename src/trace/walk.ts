import { familyOf, isAddress, parseInterfaceAddress } from '../base/ip.ts'
import { macOf } from '../networks/ovn/topology/names.ts'
import { type Decision, decide, describeRoute, describeRule } from './decide.ts'
import type { NodeFacts, PodFacts, PodInterfaceFacts } from './facts.ts'
import {
  type Backend,
  datapathArguments,
  type LogicalPath,
  type Microflow,
  ovnTraceArguments,
  parseDatapath,
  parseOvnTrace,
  renderBackend,
} from './logical.ts'
import { describeNat, findNat } from './nat.ts'
import type { Answered, Crossing, End, Outset, Step, WalkContext, Way } from './way.ts'

const maxSteps = 16

/** Follows one packet from a pod, or from a node itself, until it arrives or leaves what the nodes know. */
export class Walk {
  readonly #context: WalkContext
  readonly #steps: Step[] = []
  readonly #crossings: Crossing[] = []
  #source: string | undefined
  #destination: string
  #tcpPort: number | undefined
  readonly #answerTo: Answered | undefined
  #nat: Way['nat']

  /** An answer belongs to a connection that is known: what was translated is put back, and nothing else changes. */
  constructor(context: WalkContext, packet: Outset) {
    this.#context = context
    this.#answerTo = packet.answerTo
    this.#tcpPort = packet.tcpPort
    this.#source = packet.source
    this.#destination = packet.destination
  }

  async fromPod(node: NodeFacts, pod: PodFacts): Promise<Way> {
    const place = `pod ${pod.namespace}/${pod.name}`
    const decision = decide(pod.kernel, { destination: this.#destination, source: this.#source })
    if (decision === undefined) return this.#lost(place, `no route to ${this.#destination}`)
    this.#source = decision.source
    const device = decision.route.device ?? ''
    this.#step(place, [describeRule(decision.rule), ...this.#routeLines(decision)])
    if (decision.isLocal) return this.#end({ kind: 'pod', namespace: pod.namespace, name: pod.name, device })
    this.#cross(place, device)
    const attachment = pod.interfaces.find(({ name }) => name === device)
    if (attachment?.hostDevice === undefined)
      return this.#lost(place, `${device} is of no network that the agent knows`)
    return await this.#fromAttachment(node, { pod, attachment, decision })
  }

  async fromNode(node: NodeFacts, inputDevice?: string): Promise<Way> {
    if (this.#steps.length > maxSteps) return this.#lost(`node ${node.node}`, 'it goes round in circles')
    const place = `node ${node.node}`
    if (inputDevice !== undefined) this.#cross(place, inputDevice)
    const restored = this.#restore(node, inputDevice)
    const decision = decide(node.host, { destination: this.#destination, source: this.#source, inputDevice })
    if (decision === undefined) return this.#lost(place, `no route to ${this.#destination}`)
    this.#source ??= decision.source
    const lines = [
      ...restored,
      describeRule(decision.rule),
      ...this.#routeLines(decision),
      ...birdLines(node, decision),
    ]
    const device = decision.route.device ?? ''
    if (decision.isLocal) {
      this.#step(place, lines)
      return this.#end({ kind: 'node', node: node.node })
    }
    if (decision.route.type !== undefined && decision.route.type !== 'unicast') {
      this.#step(place, lines)
      return this.#lost(place, `the route is ${decision.route.type}`)
    }
    this.#step(place, [...lines, ...this.#translate(node, { inputDevice, device })])
    this.#cross(place, device)
    return await this.#leave(node, decision)
  }

  async #fromAttachment(
    node: NodeFacts,
    { pod, attachment, decision }: { pod: PodFacts; attachment: PodInterfaceFacts; decision: Decision },
  ): Promise<Way> {
    const hostDevice = attachment.hostDevice ?? ''
    const port = node.logicalPorts[hostDevice]
    if (port === undefined) return await this.fromNode(node, hostDevice)
    const own = pod.kernel.devices.find(({ name }) => name === attachment.name)
    return await this.#throughOvn(node, {
      port,
      device: hostDevice,
      mac: own?.mac ?? '',
      gateway: decision.route.gateway,
    })
  }

  /** Out of a node by a device: to a pod of its own, into OVN, to another node, or away. */
  async #leave(node: NodeFacts, { route }: Decision): Promise<Way> {
    const device = route.device ?? ''
    const pod = node.pods.find(({ interfaces }) => interfaces.some(({ hostDevice }) => hostDevice === device))
    const port = node.logicalPorts[device]
    if (pod !== undefined && port === undefined) return this.#arrive(pod, device)
    if (port !== undefined) {
      const mac = node.host.devices.find(({ name }) => name === device)?.mac ?? ''
      return await this.#throughOvn(node, { port, device, mac, gateway: route.gateway })
    }
    const next = this.#ownerOf(route.gateway ?? this.#destination)
    if (next !== undefined) return await this.fromNode(next.node, next.device)
    return this.#end({ kind: 'outside', node: node.node, device, gateway: route.gateway })
  }

  #arrive(pod: PodFacts, hostDevice: string): Way {
    const device = pod.interfaces.find((each) => each.hostDevice === hostDevice)?.name ?? ''
    const place = `pod ${pod.namespace}/${pod.name}`
    this.#cross(place, device)
    this.#step(place, [`arrives by ${device}`])
    return this.#end({ kind: 'pod', namespace: pod.namespace, name: pod.name, device })
  }

  async #throughOvn(
    node: NodeFacts,
    { port, device, mac, gateway }: { port: string; device: string; mac: string; gateway: string | undefined },
  ): Promise<Way> {
    const source = this.#source ?? ''
    const flow: Microflow = {
      port,
      sourceMac: mac,
      destinationMac: this.#macOf(gateway ?? this.#destination),
      source,
      destination: this.#destination,
      tcpPort: this.#tcpPort,
      isAnswer: this.#answerTo !== undefined,
    }
    const path = await this.#logicalPath(node, flow)
    const actions = await this.#datapathActions(node, flow, device)
    const [output] = path.outputs
    this.#step('OVN', [
      `${port} -> ${path.datapaths.join(' -> ')} -> ${output ?? 'dropped'}`,
      ...path.translations,
      ...this.#balance(path.backends),
      ...(actions === undefined ? [] : [`datapath of ${node.node}: ${actions}`]),
    ])
    if (output === undefined) return this.#lost('OVN', `${path.datapaths.at(-1) ?? port} drops it`)
    this.#cross('OVN', 'br-int')
    return await this.#fromOvn(node, output, path.translations)
  }

  /** A load balancer may choose any of its backends: the first is followed. */
  async #logicalPath(node: NodeFacts, flow: Microflow): Promise<LogicalPath> {
    const { run } = this.#context
    const ask = async (backend?: Backend): Promise<LogicalPath> =>
      parseOvnTrace(await run(node.node, ['ovn-trace', ...ovnTraceArguments(flow, node.southbound, backend)]))
    const path = await ask()
    return path.backends.length > 1 ? await ask(path.backends[0]) : path
  }

  #balance([backend, ...others]: readonly Backend[]): string[] {
    if (backend === undefined) return []
    const before = this.#destination
    this.#destination = backend.address
    this.#tcpPort = backend.port
    const more = others.length === 0 ? '' : `, the first of ${others.length + 1}`
    return [`load balancer: destination ${before} becomes ${renderBackend(backend)}${more}`]
  }

  async #datapathActions(node: NodeFacts, flow: Microflow, device: string): Promise<string | undefined> {
    if (node.switchSocket === undefined) return undefined
    const command = ['ovs-appctl', '-t', node.switchSocket, ...datapathArguments(flow, device)]
    return parseDatapath(await this.#context.run(node.node, command))
  }

  async #fromOvn(node: NodeFacts, output: string, translations: readonly string[]): Promise<Way> {
    for (const other of this.#context.nodes) {
      const device = Object.entries(other.logicalPorts).find(([, id]) => id === output)?.[0]
      if (device === undefined) continue
      const pod = other.pods.find(({ interfaces }) => interfaces.some(({ hostDevice }) => hostDevice === device))
      return pod === undefined ? await this.fromNode(other, device) : this.#arrive(pod, device)
    }
    const after = translations.map((text) => /^ct_snat\(([^)]+)\)$/.exec(text)?.[1]).find((text) => text !== undefined)
    if (after !== undefined && isAddress(after)) this.#translateTo(node.node, after)
    return this.#end({ kind: 'outside', node: node.node, device: output, gateway: undefined })
  }

  #translate(node: NodeFacts, { inputDevice, device }: { inputDevice: string | undefined; device: string }): string[] {
    if (this.#answerTo !== undefined || inputDevice === undefined || this.#source === undefined) return []
    const packet = { source: this.#source, destination: this.#destination, inputDevice, outputDevice: device }
    const rule = findNat(node.nat, packet)
    if (rule === undefined) return []
    const own = node.host.devices.find(({ name }) => name === device)?.addresses ?? []
    const family = familyOf(this.#destination)
    const address = rule.address ?? own.map(parseInterfaceAddress).find((each) => each.family === family)?.address
    if (address === undefined) return [describeNat(rule)]
    this.#translateTo(node.node, address)
    return [describeNat(rule), `source ${packet.source} becomes ${address}`]
  }

  /** Connection tracking looks at what comes in before it is routed. */
  #restore({ node }: NodeFacts, inputDevice: string | undefined): string[] {
    const nat = this.#answerTo?.nat
    if (inputDevice === undefined || nat?.node !== node || nat.after !== this.#destination) return []
    this.#destination = nat.before
    return [`connection tracking: destination ${nat.after} becomes ${nat.before} again`]
  }

  #translateTo(node: string, after: string): void {
    this.#nat = { node, before: this.#source ?? '', after }
    this.#source = after
  }

  /** The node, and its device, that has an address. */
  #ownerOf(address: string): { node: NodeFacts; device: string } | undefined {
    for (const node of this.#context.nodes) {
      const found = node.host.devices.find(({ addresses }) => addresses.some((each) => each.split('/')[0] === address))
      if (found !== undefined) return { node, device: found.name }
    }
    return undefined
  }

  /** Of a pod that is known; else what OVN gives to whatever has the address. */
  #macOf(address: string): string {
    for (const { kernel } of this.#context.nodes.flatMap(({ pods }) => pods)) {
      const found = kernel.devices.find(({ addresses }) => addresses.some((each) => each.split('/')[0] === address))
      if (found !== undefined) return found.mac
    }
    return macOf(address)
  }

  #routeLines({ route, source }: Decision): string[] {
    return [describeRoute(route), ...(source === undefined ? [] : [`source ${source}`])]
  }

  #step(place: string, lines: readonly string[]): void {
    this.#steps.push({ place, lines })
  }

  #cross(place: string, device: string): void {
    this.#crossings.push({ place, device })
  }

  #lost(place: string, why: string): Way {
    this.#step(place, [`lost: ${why}`])
    return this.#end({ kind: 'lost', place, why })
  }

  #end(end: End): Way {
    const { steps, crossings } = { steps: this.#steps, crossings: this.#crossings }
    return {
      steps,
      crossings,
      end,
      source: this.#source ?? '',
      destination: this.#destination,
      tcpPort: this.#tcpPort,
      nat: this.#nat,
    }
  }
}

/** Where BIRD has the route from, when the kernel has it from BIRD. */
function birdLines({ bird }: NodeFacts, { route }: Decision): string[] {
  const birdProtocol = 12
  if (route.protocol !== birdProtocol) return []
  const origin = bird.find(({ destination, isPrimary }) => destination === route.destination && isPrimary)
  return [origin === undefined ? 'from BIRD, which does not have it any more' : `from BIRD: ${origin.protocol}`]
}

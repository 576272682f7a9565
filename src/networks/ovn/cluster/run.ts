import { describeError } from '../../../base/errors.ts'
import type { Lifecycle } from '../../../base/lifecycle.ts'
import type { Unsubscribe } from '../../../base/observable.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import { createInformer } from '../../../kube/informer.ts'
import { endpointSlices, namespaces, services } from '../../../kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../../../kube/resources/net-attach-def.ts'
import type { ClusterDeps } from '../../driver.ts'
import type { OvnSettings } from '../config.ts'
import { ipamClaims } from '../resources/ipam-claim.ts'
import { clusterUserDefinedNetworks, userDefinedNetworks } from '../resources/user-defined-network.ts'
import type { SecondaryNetwork } from '../secondary/net-conf.ts'
import { gatewayAddresses, gatewayRouterId } from '../topology/gateway-facts.ts'
import { ClusterNetworkPods } from './cluster-network-pods.ts'
import type { ClusterContext } from './context.ts'
import { allocateNodes, nodeFacts, writeAllocation } from './nodes.ts'
import { Northbound } from './northbound.ts'
import { podKey } from './pod-places.ts'
import { PodPorts } from './pod-ports.ts'
import { PersistentAddresses } from './secondary/claims.ts'
import { SecondaryNetworks } from './secondary/networks.ts'
import { allocateSecondary } from './secondary/node-allocation.ts'
import { SecondaryPods } from './secondary/secondary-pods.ts'
import { startOptional } from './secondary/start-informers.ts'
import { networksInDatabase, networksInUse, syncSecondary } from './secondary/topology-sync.ts'
import { syncUserDefined, type UserDefinedSources } from './secondary/user-defined.ts'
import { syncServices } from './service-sync.ts'
import { syncTopology } from './topology-sync.ts'

/** The controller's side of the OVN network: the only writer of the northbound database and of pod addresses. */
export function ovnClusterSide(settings: OvnSettings, deps: ClusterDeps): Lifecycle {
  return new ClusterSide(settings, deps)
}

type Work = 'nodes' | 'topology' | 'services' | 'user-defined'

class ClusterSide implements Lifecycle {
  readonly #deps: ClusterDeps
  readonly #context: ClusterContext
  readonly #networks: SecondaryNetworks
  readonly #secondary: SecondaryPods
  readonly #ports: PodPorts
  readonly #queue: Workqueue
  readonly #services
  readonly #slices
  readonly #namespaces
  readonly #nads
  readonly #claims
  readonly #userDefined: UserDefinedSources
  readonly #subscriptions: Unsubscribe[] = []
  readonly #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #hasPods = false

  constructor(settings: OvnSettings, deps: ClusterDeps) {
    const { log } = deps
    this.#deps = deps
    this.#services = createInformer(deps.kube, services, { log })
    this.#slices = createInformer(deps.kube, endpointSlices, { log })
    this.#namespaces = createInformer(deps.kube, namespaces, { log })
    this.#nads = createInformer(deps.kube, networkAttachmentDefinitions, { log })
    this.#context = createContext(settings, deps, { log, nads: this.#nads })
    this.#networks = new SecondaryNetworks(settings, this.#nads, deps.events)
    this.#claims = createInformer(deps.kube, ipamClaims, { log })
    this.#userDefined = {
      kube: deps.kube,
      networks: createInformer(deps.kube, userDefinedNetworks, { log }),
      clusterNetworks: createInformer(deps.kube, clusterUserDefinedNetworks, { log }),
      namespaces: this.#namespaces,
      definitions: this.#nads,
    }
    this.#secondary = new SecondaryPods(this.#context, {
      networks: this.#networks,
      persistent: new PersistentAddresses({ kube: deps.kube, log, claims: this.#claims }),
      onLeft: () => this.#work('topology'),
    })
    this.#ports = new PodPorts(this.#context, [new ClusterNetworkPods(this.#context), this.#secondary])
    const reconcile = (key: string): Promise<void> => this.#reconcile(key as Work)
    this.#queue = new Workqueue({ name: 'ovn', reconcile, log, settleMs: 5, maxDelayMs: 5000 })
  }

  /** Resolves when the API's objects are known; the database may come later. */
  async start(signal: AbortSignal): Promise<void> {
    const informers = [this.#services, this.#slices, this.#namespaces, this.#nads]
    const stop = AbortSignal.any([signal, this.#stop.signal])
    await Promise.all(informers.map((informer) => informer.start(stop)))
    await this.#startOptional(stop)
    this.#networks.refresh()
    this.#running = this.#run(stop).catch((error: unknown) => {
      if (!stop.aborted) this.#context.log.error({ error: describeError(error) }, 'OVN network not served')
    })
  }

  /** The kinds of secondary networks. */
  #startOptional(signal: AbortSignal): Promise<void> {
    const { kube, log } = this.#context
    const { networks, clusterNetworks } = this.#userDefined
    const informers = [
      { type: ipamClaims, informer: this.#claims },
      { type: userDefinedNetworks, informer: networks },
      { type: clusterUserDefinedNetworks, informer: clusterNetworks },
    ]
    return startOptional(informers, { kube, log, signal })
  }

  async stop(): Promise<void> {
    for (const unsubscribe of this.#subscriptions) unsubscribe()
    await this.#queue.stop()
    await this.#ports.stop()
    this.#stop.abort()
    await this.#context.northbound.client.stop()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#work('nodes')
    this.#subscriptions.push(this.#deps.nodes.onChange(() => this.#work('nodes')))
    await this.#context.northbound.client.start(signal)
    this.#subscribe()
    this.#work('topology', 'services', 'user-defined')
  }

  #subscribe(): void {
    const { pods } = this.#deps
    this.#subscriptions.push(
      this.#deps.nodes.onChange(() => this.#work('topology')),
      this.#namespaces.onChange(() => this.#work('topology', 'user-defined')),
      this.#userDefined.networks.onChange(() => this.#work('user-defined')),
      this.#userDefined.clusterNetworks.onChange(() => this.#work('user-defined')),
      this.#services.onChange(() => this.#work('services')),
      this.#slices.onChange(() => this.#work('services')),
      this.#nads.onChange(() => this.#definitionsChanged()),
      this.#claims.onChange(() => this.#claimsChanged()),
      // Somebody else's change of the database, or a database that was set up anew, is put right.
      this.#context.northbound.client.onConnection(() => this.#work('topology', 'services')),
      this.#context.northbound.client.onChange(() => this.#ports.recheck()),
      pods.on(({ object }) => this.#ports.add(podKey(object))),
    )
  }

  /** What pods ask for may mean something else now, whatever becomes of the networks' own rows. */
  #definitionsChanged(): void {
    this.#networks.refresh()
    this.#ports.resync()
    this.#work('nodes', 'topology', 'user-defined')
  }

  #claimsChanged(): void {
    for (const key of [...this.#secondary.claimsChanged()]) this.#ports.add(key)
  }

  #work(...keys: Work[]): void {
    for (const key of keys) this.#queue.add(key)
  }

  async #reconcile(key: Work): Promise<void> {
    if (key === 'nodes') return this.#allocateNodes()
    if (key === 'user-defined') return syncUserDefined(this.#userDefined, this.#networks.current)
    if (key === 'services') {
      await syncServices(this.#context, this.#services.list(), this.#slices.list())
      return
    }
    const isChanged = await this.#syncTopology()
    this.#startPods(isChanged)
    if (isChanged) this.#work('services')
  }

  async #syncTopology(): Promise<boolean> {
    const isClusterChanged = await syncTopology(this.#context, this.#namespaces.list())
    const isSecondaryChanged = await syncSecondary(this.#context, this.#activeNetworks(), this.#deps.nodes.list())
    if (isSecondaryChanged) this.#work('nodes')
    return isClusterChanged || isSecondaryChanged
  }

  #activeNetworks(): SecondaryNetwork[] {
    const used = networksInUse(this.#context.northbound.view)
    return this.#networks.active((name) => used.has(name))
  }

  async #allocateNodes(): Promise<void> {
    const { settings, kube } = this.#context
    const nodes = this.#deps.nodes.list()
    const allocations = allocateNodes(nodes, settings)
    if (allocations.length < nodes.length) {
      this.#context.log.error({ netCidrs: settings.netCidrs }, 'no subnet left for every node; add a prefix to netCidr')
    }
    const { client, view } = this.#context.northbound
    const left = networksInDatabase(view)
    const secondary = allocateSecondary(nodes, this.#activeNetworks(), (name) => !client.isConnected || left.has(name))
    for (const allocation of [...allocations, ...secondary]) await writeAllocation(kube, allocation)
  }

  /** Pods come only after the switches: a port on a switch that is not there would vanish. */
  #startPods(isTopologyChanged: boolean): void {
    if (!this.#hasPods) this.#ports.start()
    else if (isTopologyChanged) this.#ports.resync()
    this.#hasPods = true
  }
}

function createContext(
  settings: OvnSettings,
  deps: ClusterDeps,
  { log, nads }: Pick<ClusterContext, 'log' | 'nads'>,
): ClusterContext {
  const northbound = new Northbound(settings, log)
  const facts = (): ReturnType<typeof nodeFacts> => nodeFacts(deps.nodes.list())
  return {
    ...deps,
    settings,
    northbound,
    log,
    nads,
    nodeFacts: facts,
    natAddressesOf: (node) => {
      if (!settings.disableSnatMultipleGateways) return []
      const router = northbound.view.find({ table: 'Logical_Router', id: gatewayRouterId(node) })
      const gateway = router === undefined ? undefined : facts().find(({ name }) => name === node)?.gateway
      return gateway === undefined ? [] : gatewayAddresses(gateway)
    },
  }
}

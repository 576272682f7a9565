import { join } from 'node:path'
import { Calm } from '../base/calm.ts'
import { KeyedLock } from '../base/keyed-lock.ts'
import type { Lifecycle } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { runAll } from '../base/undo.ts'
import { type CniServer, serveCni } from '../cni/socket.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { KubeClient } from '../kube/api.ts'
import { createEventRecorder } from '../kube/events.ts'
import { createInformer } from '../kube/informer.ts'
import { nodes, type PodResource, pods } from '../kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import type { NetworkDriver, NodePaths } from '../networks/driver.ts'
import { drivers as allDrivers } from '../networks/registry.ts'
import { AttachmentStore } from './attachment-store.ts'
import type { CniContext } from './cni-server/context.ts'
import { createCniHandle } from './cni-server/handle.ts'
import { type AgentConfig, type AgentSettings, defaultAgentSettings } from './config.ts'
import { type DeviceFolders, Devices } from './devices/devices.ts'
import { type HealthServer, type HealthSources, serveHealth } from './health.ts'
import { HotPlug } from './hot-plug/run.ts'
import { installCni } from './install-cni.ts'
import { createAgentMetrics } from './metrics.ts'
import { NetConfWatch } from './net-conf-watch.ts'
import { createNetworks } from './networks.ts'
import { restoreRecords } from './restore.ts'
import { StatusWriter } from './status-writer.ts'
import { buildNetConf, type NetConfFile, renderNetConf } from './write-net-conf.ts'

/** Where things are on this host. */
export interface AgentPaths extends NodePaths, DeviceFolders {
  readonly cniSocket: string
  readonly netConfFolder: string
  /** The built shim that is installed into the first of `cniBinFolders`. */
  readonly shim: string
}

/** The paths of a host that is set up as usual. */
export function defaultPaths(shim: string): AgentPaths {
  return {
    shim,
    stateFolder: '/var/lib/twinlane',
    runFolder: '/run/twinlane',
    birdSocket: '/run/bird/bird.ctl',
    birdConfigFile: '/etc/bird/bird.conf',
    ovsdbSocket: '/run/openvswitch/db.sock',
    cniBinFolders: ['/opt/cni/bin'],
    cniSocket: '/run/twinlane/cni.sock',
    netConfFolder: '/etc/cni/net.d',
    kubeletFolder: '/var/lib/kubelet',
    deviceInfoFolder: '/var/run/k8s.cni.cncf.io/devinfo',
  }
}

export interface AgentOptions {
  readonly config: Pick<AgentConfig, 'nodeName' | 'networks'> & { readonly agent?: AgentSettings }
  readonly paths: AgentPaths
  readonly kube: KubeClient
  readonly kernel: Kernel
  readonly log: Log
  /** @default every driver of the registry */
  readonly drivers?: readonly NetworkDriver[]
}

/**
 * The node process. Starts the networks, then answers on the socket, then tells the runtime to call; so no call comes
 * before it can be answered. Throws ConfigError for settings that a network refuses.
 */
export function createAgent(options: AgentOptions): Lifecycle {
  const { config, paths, kube, kernel, log } = options
  const eventOptions = { component: 'twinlane-agent', host: config.nodeName, log }
  const calm = new Calm()
  const events = createEventRecorder(kube, { ...eventOptions, before: () => calm.wait({ settleMs: 25 }) })
  const ownPods = createInformer<PodResource>(kube, pods, {
    fieldSelector: `spec.nodeName=${config.nodeName}`,
    transform: withoutManagedFields,
    log,
  })
  const allNodes = createInformer(kube, nodes, { transform: withoutManagedFields, log })
  const definitions = createInformer(kube, networkAttachmentDefinitions, { transform: withoutManagedFields, log })
  const devices = new Devices(paths)
  const informers = { pods: ownPods, nodes: allNodes }
  const deps = { nodeName: config.nodeName, kube, kernel, log, events, calm, ...informers, paths, devices }
  const networks = createNetworks(options.drivers ?? allDrivers, config.networks, deps)
  const store = new AttachmentStore(join(paths.stateFolder, 'attachments'))
  const statusWriter = new StatusWriter(kube, log, calm)
  const containers = new KeyedLock()
  const context: CniContext = { ...deps, networks, store, definitions, statusWriter, containers }
  const hotPlug = new HotPlug(context)
  const settings = config.agent ?? defaultAgentSettings
  const netConf = new NetConfWatch({
    file: netConfFile(paths, settings),
    log,
    warn: (message) => {
      log.warn({ folder: paths.netConfFolder }, message)
      const self = allNodes.get(config.nodeName)
      if (self !== undefined) events.event(self, 'Warning', 'NetworkConfigurationOverridden', message)
    },
  })
  let server: CniServer | undefined
  let health: HealthServer | undefined
  const caches = { pods: ownPods, nodes: allNodes, definitions }
  const metrics = createAgentMetrics({ load: () => server?.load, informers: caches, netConf })
  const problems = (): string[] => [
    ...Object.entries(caches).flatMap(([name, { hasSynced }]) => (hasSynced ? [] : [`${name}: not read yet`])),
    ...networks.all.flatMap(({ driver, nodeSide }) => nodeSide.status().problems.map((it) => `${driver.name}: ${it}`)),
    ...netConf.problems.map((problem) => `${settings.netConf.fileName}: ${problem}`),
  ]
  const life = new AbortController()

  const startParts = async (): Promise<void> => {
    const { signal } = life
    health = await startHealth(settings.httpAddress, { problems, metrics: metrics.render }, log)
    await store.open()
    await Promise.all([ownPods, allNodes, definitions].map((informer) => informer.start(signal)))
    await networks.start(signal)
    await restoreRecords(context, signal)
    hotPlug.start()
    server = await serveCni({
      socketPath: paths.cniSocket,
      handle: createCniHandle(context, metrics.observe),
      concurrency: settings.maxConcurrent,
      queueLimit: settings.maxWaiting,
      log,
    })
    await install(paths, log)
    await netConf.start()
    log.info({ node: config.nodeName, socket: paths.cniSocket }, 'agent is ready')
  }

  return {
    /** The signal ends the start. What was started goes on until `stop`, for requests in work need it to the end. */
    async start(signal) {
      const abort = (): void => life.abort(signal.reason)
      signal.throwIfAborted()
      signal.addEventListener('abort', abort, { once: true })
      await startParts().finally(() => signal.removeEventListener('abort', abort))
    },
    async stop() {
      await runAll('stopping the agent', [
        () => netConf.stop(),
        () => server?.close(),
        () => hotPlug.stop(),
        () => life.abort(),
        () => health?.close(),
        () => statusWriter.stop(),
        () => networks.stop(),
        () => events.flush(),
      ])
    },
  }
}

/** Health and metrics are worth less than the pods: the agent goes on without them. */
async function startHealth(address: string, sources: HealthSources, log: Log): Promise<HealthServer | undefined> {
  if (address === 'off') return undefined
  try {
    return await serveHealth(address, sources)
  } catch (error) {
    log.error({ error, fix: 'Set agent.httpAddress to a free address.' }, `no health and metrics on ${address}`)
    return undefined
  }
}

async function install(paths: AgentPaths, log: Log): Promise<void> {
  const [binFolder] = paths.cniBinFolders
  if (binFolder === undefined) throw new Error('there is no folder for CNI executables')
  const { foreign } = await installCni(paths.shim, binFolder)
  if (foreign.length > 0) log.warn({ binFolder, foreign }, "left other vendors' CNI executables alone")
}

function netConfFile(paths: AgentPaths, { netConf }: AgentSettings): NetConfFile {
  return { folder: paths.netConfFolder, name: netConf.fileName, text: renderNetConf(buildNetConf(netConf.content)) }
}

/** Half of an object's memory, and nobody reads it. */
function withoutManagedFields<T extends { metadata: { managedFields?: unknown } }>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

import type { Lifecycle } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { runAll } from '../base/undo.ts'
import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { CniRequest } from '../cni/request.ts'
import { type CniServer, serveCni } from '../cni/socket.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { KubeClient } from '../kube/api.ts'
import type { NetworkDriver } from '../networks/driver.ts'
import { currentBoot } from './boot.ts'
import { createCaches, startCaches } from './caches.ts'
import { awaitIndicator } from './cni-server/await-indicator.ts'
import { createCniHandle } from './cni-server/handle.ts'
import { isForAddresses } from './cni-server/manage-addresses.ts'
import { type AgentConfig, type AgentSettings, defaultAgentSettings } from './config.ts'
import { createContext } from './create-context.ts'
import { ExpectedPods } from './expected-pods.ts'
import { type HealthServer, tryServeHealth } from './health.ts'
import { HotPlug } from './hot-plug/run.ts'
import { IdleMemory } from './idle-memory.ts'
import { installShim } from './install-cni.ts'
import { createAgentMetrics } from './metrics.ts'
import { NetConfWatch } from './net-conf-watch.ts'
import { NetworkMeter } from './network-meter.ts'
import type { AgentPaths } from './paths.ts'
import { findProblems } from './problems.ts'
import { restoreRecords } from './restore.ts'
import { buildNetConf, describeNetConf } from './write-net-conf.ts'

export interface AgentOptions {
  readonly config: Pick<AgentConfig, 'nodeName' | 'networks'> & { readonly agent?: AgentSettings }
  readonly paths: AgentPaths
  readonly kube: KubeClient
  readonly kernel: Kernel
  readonly log: Log
  /** @default every driver of the registry */
  readonly drivers?: readonly NetworkDriver[]
  /** Gives free memory back to the system; called when a burst is over. @default nothing */
  readonly giveMemoryBack?: () => Promise<void>
}

/**
 * The node process. Starts the networks, then answers on the socket, then tells the runtime to call; so no call comes
 * before it can be answered. Throws ConfigError for settings that a network refuses.
 */
export function createAgent(options: AgentOptions): Lifecycle {
  const { config, paths, log } = options
  const settings = config.agent ?? defaultAgentSettings
  const caches = createCaches(options.kube, { nodeName: config.nodeName, log })
  const meter = new NetworkMeter()
  const context = createContext(options, caches, meter)
  const hotPlug = new HotPlug(context)
  const expected = new ExpectedPods(context, buildNetConf(settings.netConf.content))
  const netConf = new NetConfWatch({
    file: describeNetConf(paths.netConfFolder, settings.netConf),
    log,
    warn: (message) => {
      log.warn({ folder: paths.netConfFolder }, message)
      const self = caches.nodes.get(config.nodeName)
      if (self !== undefined) context.events.event(self, 'Warning', 'NetworkConfigurationOverridden', message)
    },
  })
  let server: CniServer | undefined
  let health: HealthServer | undefined
  const metrics = createAgentMetrics({
    load: () => server?.load,
    informers: { ...caches },
    netConf,
    networks: context.networks,
    meter,
    records: context.store,
  })
  const problems = (): Promise<string[]> => findProblems({ caches, networks: context.networks, netConf, settings })
  const life = new AbortController()
  const memory = new IdleMemory({ giveBack: options.giveMemoryBack ?? (async () => {}), log })
  const answer = createCniHandle(context, (...request) => {
    metrics.observe(...request)
    memory.noteWork()
  })
  const isNested = (request: CniRequest): boolean => isForAddresses(request, context.networks)
  let isRestored = false

  const startParts = async (): Promise<void> => {
    const { signal } = life
    health = await tryServeHealth(settings.httpAddress, { problems, metrics: metrics.render }, log)
    await context.store.open(await currentBoot(paths.runFolder))
    await startCaches(caches, signal)
    await context.networks.start(signal)
    await installShim(paths, log)
    // What a plugin takes back, it may have to ask us for.
    server = await serveCni({
      socketPath: paths.cniSocket,
      before: awaitIndicator,
      handle: async (request, untilAborted, turn) => {
        if (!isRestored && !isNested(request)) throw new CniError(cniErrorCode.tryAgainLater, 'the agent is starting')
        expected.noteConfig(request)
        return await answer(request, untilAborted, turn)
      },
      isNested,
      concurrency: settings.maxConcurrent,
      queueLimit: settings.maxWaiting,
      log,
    })
    await restoreRecords(context, signal)
    hotPlug.start()
    expected.start()
    isRestored = true
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
        () => memory.stop(),
        () => netConf.stop(),
        () => server?.close(),
        () => hotPlug.stop(),
        () => expected.stop(),
        () => life.abort(),
        () => health?.close(),
        () => context.statusWriter.stop(),
        () => context.networks.stop(),
        () => context.events.flush(),
      ])
    },
  }
}

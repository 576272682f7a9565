import type { Lifecycle } from '../base/lifecycle.ts'
import type { Log } from '../base/log.ts'
import { runAll } from '../base/undo.ts'
import type { KubeClient } from '../kube/api.ts'
import { createEventRecorder } from '../kube/events.ts'
import { createInformer } from '../kube/informer.ts'
import { nodes, pods } from '../kube/resources/core.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import type { ClusterDeps, NetworkDriver } from '../networks/driver.ts'
import { drivers as allDrivers } from '../networks/registry.ts'
import { createAdmissionServer } from './admission/admission-server.ts'
import type { ControllerConfig } from './config.ts'

export interface ControllerOptions {
  readonly config: Pick<ControllerConfig, 'networks' | 'admission'>
  readonly kube: KubeClient
  readonly log: Log
  /** This host's name, for events. */
  readonly host: string
  /** @default every driver of the registry */
  readonly drivers?: readonly NetworkDriver[]
}

/** The cluster process: the cluster side of every network that has one. Throws ConfigError for settings that a network refuses. */
export function createController(options: ControllerOptions): Lifecycle {
  const { config, kube, log } = options
  const events = createEventRecorder(kube, { component: 'twinlane-controller', host: options.host, log })
  const allPods = createInformer(kube, pods, { log })
  const allNodes = createInformer(kube, nodes, { log })
  const deps = { kube, log, events, pods: allPods, nodes: allNodes }
  const sides = [
    ...(options.drivers ?? allDrivers).flatMap((driver) => clusterSideOf(driver, config, deps)),
    ...admissionOf(options.drivers ?? allDrivers, config, deps),
  ]

  return {
    async start(signal) {
      await Promise.all([allPods.start(signal), allNodes.start(signal)])
      await Promise.all(sides.map((side) => side.start(signal)))
      log.info({ parts: sides.length }, 'controller is ready')
    },
    async stop() {
      await runAll('stopping the controller', [...sides.map((side) => () => side.stop()), () => events.flush()])
    },
  }
}

function clusterSideOf(driver: NetworkDriver, config: ControllerOptions['config'], deps: ClusterDeps): Lifecycle[] {
  const settings = driver.parseSettings(config.networks[driver.name])
  const side = driver.clusterSide?.(settings, { ...deps, log: deps.log.child({ network: driver.name }) })
  return side === undefined ? [] : [side]
}

function admissionOf(
  drivers: readonly NetworkDriver[],
  { admission }: ControllerOptions['config'],
  { kube, log }: ClusterDeps,
): Lifecycle[] {
  if (admission === undefined) return []
  const definitions = createInformer(kube, networkAttachmentDefinitions, { log })
  return [createAdmissionServer(admission, { definitions, drivers, kube, log: log.child({ part: 'admission' }) })]
}

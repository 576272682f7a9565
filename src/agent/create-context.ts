import { join } from 'node:path'
import { Calm } from '../base/calm.ts'
import { KeyedLock } from '../base/keyed-lock.ts'
import { createEventRecorder } from '../kube/events.ts'
import { drivers as allDrivers } from '../networks/registry.ts'
import type { AgentOptions } from './agent.ts'
import { AttachmentStore } from './attachment-store.ts'
import type { Caches } from './caches.ts'
import type { CniContext } from './cni-server/context.ts'
import { Devices } from './devices/devices.ts'
import { NetworkMeter } from './network-meter.ts'
import { createNetworks } from './networks.ts'
import { StatusWriter } from './status-writer.ts'

/** What every request works with. Nothing is started. Throws ConfigError for settings that a network refuses. */
export function createContext(
  options: AgentOptions,
  caches: Caches,
  meter = new NetworkMeter(),
): CniContext & { readonly events: ReturnType<typeof createEventRecorder> } {
  const { config, paths, kube, kernel, log } = options
  const calm = new Calm()
  const events = createEventRecorder(kube, {
    component: 'twinlane-agent',
    host: config.nodeName,
    log,
    before: () => calm.wait({ settleMs: 25 }),
  })
  const devices = new Devices(paths)
  const deps = { nodeName: config.nodeName, kube, kernel, log, events, calm, ...caches, paths, devices }
  return {
    ...deps,
    networks: createNetworks(options.drivers ?? allDrivers, config.networks, deps, meter),
    store: new AttachmentStore(join(paths.stateFolder, 'attachments')),
    statusWriter: new StatusWriter(kube, log, calm),
    containers: new KeyedLock(),
  }
}

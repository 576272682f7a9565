import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from '../../src/agent/agent.ts'
import { defaultAgentSettings } from '../../src/agent/config.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createLog, type LogLevel } from '../../src/base/log.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import type { KubeClient } from '../../src/kube/api.ts'
import { createFakeKube, type FakeKube } from '../../src/kube/fake.ts'
import { nodes, type PodResource, pods } from '../../src/kube/resources/core.ts'
import {
  type NetworkAttachmentDefinition,
  networkAttachmentDefinitions,
} from '../../src/kube/resources/net-attach-def.ts'
import { delegateDriver } from '../../src/networks/delegate/driver.ts'
import type { NetworkDriver } from '../../src/networks/driver.ts'

/** A pod of the test's node. */
export function testPod(name: string, networks?: string): PodResource {
  const annotations = networks === undefined ? {} : { 'k8s.v1.cni.cncf.io/networks': networks }
  return {
    metadata: { name, namespace: 'default', annotations },
    spec: { nodeName: 'node', containers: [] },
  }
}

export function testDefinition(name: string, config: object | string): NetworkAttachmentDefinition {
  const text = typeof config === 'string' ? config : JSON.stringify(config)
  return { metadata: { name, namespace: 'default' }, spec: { config: text } }
}

/** An API in memory with one node. */
export function createTestKube(objects: {
  pods?: readonly PodResource[]
  definitions?: readonly NetworkAttachmentDefinition[]
}): FakeKube {
  const kube = createFakeKube()
  kube.seed(nodes, { metadata: { name: 'node' } })
  kube.seed(pods, ...(objects.pods ?? []))
  kube.seed(networkAttachmentDefinitions, ...(objects.definitions ?? []))
  return kube
}

export function makeTestFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'agent-'))
}

export function removeTestFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true })
}

/** An agent whose files all lie in one folder, and whose only network is other plugins unless drivers are given. */
export function createTestAgent(options: {
  folder: string
  kube: KubeClient
  kernel: Kernel
  shim: string
  drivers?: readonly NetworkDriver[]
  /** Settings of the drivers, by name. */
  networks?: Readonly<Record<string, unknown>>
  logLevel?: LogLevel
  giveMemoryBack?: () => Promise<void>
}): Lifecycle {
  const { folder, kube, kernel, shim } = options
  const at = (name: string): string => join(folder, name)
  return createAgent({
    config: {
      nodeName: 'node',
      networks: options.networks ?? {},
      agent: { ...defaultAgentSettings, httpAddress: at('run/http.sock') },
    },
    kube,
    kernel,
    ...(options.giveMemoryBack === undefined ? {} : { giveMemoryBack: options.giveMemoryBack }),
    log: createLog({ name: 'agent', level: options.logLevel ?? 'silent' }),
    drivers: options.drivers ?? [delegateDriver],
    paths: {
      shim,
      stateFolder: at('state'),
      runFolder: at('run'),
      cniSocket: at('run/cni.sock'),
      netConfFolder: at('net.d'),
      kubeletFolder: at('kubelet'),
      deviceInfoFolder: at('devinfo'),
      cniBinFolders: [at('bin'), '/usr/lib/cni'],
      birdSocket: at('bird.ctl'),
      birdConfigFile: at('bird.conf'),
      ovsdbSocket: at('db.sock'),
    },
  })
}

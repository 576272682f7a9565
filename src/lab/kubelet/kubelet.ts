import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Log } from '../../base/log.ts'
import { runAll } from '../../base/undo.ts'
import type { KubeClient } from '../../kube/api.ts'
import { createEventRecorder } from '../../kube/events.ts'
import { createInformer } from '../../kube/informer.ts'
import { pods as podType } from '../../kube/resources/core.ts'
import type { KubeletConfig } from './config.ts'
import { NetworkConfigFolder } from './network/config-folder.ts'
import { Registration } from './node/registration.ts'
import { Containers } from './pod/containers.ts'
import { ExitWatch } from './pod/exits.ts'
import { Pods } from './pod/pods.ts'
import { Probes } from './pod/probes.ts'
import { RecordStore } from './pod/record-store.ts'
import { Sandboxes } from './pod/sandboxes.ts'
import { prepareBusybox } from './runtime/image.ts'
import { ContainerRuntime } from './runtime/runtime.ts'
import { StreamServer } from './stream/server.ts'

export interface KubeletOptions {
  config: KubeletConfig
  kube: KubeClient
  log: Log
}

/**
 * The lab's stand-in for the kubelet and the container runtime of one node; must run inside the node's namespaces.
 * Resolves when the signal has aborted and everything has ended; pods go on running, for the next process to find.
 */
export async function runKubelet({ config, kube, log }: KubeletOptions, signal: AbortSignal): Promise<void> {
  await prepareFolders(config)
  const runtime = new ContainerRuntime(config.runFolder)
  const network = new NetworkConfigFolder({ folder: config.cniConfFolder, log })
  const records = new RecordStore({ folder: `${config.rootFolder}/sandboxes`, log })
  const [image] = await Promise.all([
    prepareBusybox(config.imageFolder),
    runtime.start(),
    network.start(signal),
    records.load(),
  ])
  const images = [image]
  const informer = createInformer(kube, podType, { fieldSelector: `spec.nodeName=${config.nodeName}`, log })
  const events = createEventRecorder(kube, { component: 'kubelet', host: config.nodeName, log })
  const registration = new Registration({ config, kube, images, network, log })
  const pods = new Pods(informer, {
    ...{ config, kube, log, events, records, runtime, network, images },
    sandboxes: new Sandboxes({ config, records, log }),
    containers: new Containers({ config, kube, runtime, images, records }),
    probes: new Probes(runtime),
  })
  const exits = new ExitWatch({ folder: runtime.exitFolder, log, onExit: (exit) => pods.noteExit(exit) })
  const streams = new StreamServer({ config, pods, runtime, log })

  await exits.start(signal)
  await pods.recover()
  await Promise.all([registration.start(signal), informer.start(signal), streams.start()])
  pods.start()
  log.info({ node: config.nodeName, network: network.current?.name ?? null }, 'kubelet runs')
  await aborted(signal)
  await runAll('stop the kubelet', [() => streams.stop(), () => pods.stop(), () => registration.stop()])
}

async function prepareFolders(config: KubeletConfig): Promise<void> {
  const { rootFolder, runFolder, logFolder, netnsFolder, cniConfFolder, imageFolder, socket } = config
  const folders = [rootFolder, runFolder, logFolder, netnsFolder, cniConfFolder, imageFolder, dirname(socket)]
  await Promise.all(folders.map((path) => mkdir(path, { recursive: true })))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

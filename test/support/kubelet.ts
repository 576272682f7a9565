import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/base/log.ts'
import { waitFor } from '../../src/base/observable.ts'
import type { Informer } from '../../src/kube/api.ts'
import { createFakeKube, type FakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { type EventResource, events, type PodResource, pods } from '../../src/kube/resources/core.ts'
import { type KubeletConfig, parseKubeletConfig } from '../../src/lab/kubelet/config.ts'
import { runKubelet } from '../../src/lab/kubelet/kubelet.ts'

/** A kubelet on a node of its own kind: temporary folders, the API in memory, a CNI plugin that writes down its calls. */
export class KubeletBed {
  readonly folder = mkdtempSync(join(tmpdir(), 'twinlane-kubelet-'))
  readonly kube: FakeKube = createFakeKube()
  readonly config: KubeletConfig
  readonly pods: Informer<PodResource>
  readonly events: Informer<EventResource>
  readonly #watching = new AbortController()
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(options: Partial<KubeletConfig> = {}) {
    const at = (name: string): string => join(this.folder, name)
    for (const name of ['bin', 'net.d', 'cni']) mkdirSync(at(name))
    copyFileSync('test/fixtures/cni/scripted.sh', at('bin/scripted'))
    this.config = parseKubeletConfig({
      nodeName: 'work01',
      kubeconfig: '/none',
      nodeIp: '127.0.0.1',
      socket: at('kubelet.sock'),
      rootFolder: at('root'),
      runFolder: at('run'),
      logFolder: at('log'),
      cniBinFolder: at('bin'),
      cniConfFolder: at('net.d'),
      imageFolder: at('images'),
      ...options,
    })
    this.pods = createInformer(this.kube, pods, { log: silentLog })
    this.events = createInformer(this.kube, events, { log: silentLog })
  }

  async start(): Promise<void> {
    if (!this.pods.hasSynced) {
      await Promise.all([this.pods.start(this.#watching.signal), this.events.start(this.#watching.signal)])
    }
    this.#stop = new AbortController()
    this.#running = runKubelet({ config: this.config, kube: this.kube, log: silentLog }, this.#stop.signal)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  /** Deletes all pods, waits for it, and removes the folders. */
  async destroy(): Promise<void> {
    for (const { metadata } of this.pods.list())
      await this.kube.delete(pods, metadata.name, { namespace: 'default', ignoreNotFound: true })
    await waitFor(this.pods, () => (this.pods.list().length === 0 ? true : undefined), {
      what: 'no pods',
      timeoutMs: 5000,
    })
    await this.until(() => this.records().length === 0, 'no records')
    await this.stop()
    this.#watching.abort()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Makes the node's network ready. */
  configureNetwork(): void {
    const config = { cniVersion: '1.0.0', name: 'net', type: 'scripted', folder: join(this.folder, 'cni') }
    writeFileSync(join(this.folder, 'net.d/10-net.conf'), JSON.stringify(config))
  }

  failNext(command: string, message: string): void {
    writeFileSync(join(this.folder, 'cni', `fail-${command}`), message)
  }

  succeed(command: string): void {
    rmSync(join(this.folder, 'cni', `fail-${command}`), { force: true })
  }

  /** The plugin's calls: command, container id, ifname, netns, args. */
  calls(): string[][] {
    try {
      const lines = readFileSync(join(this.folder, 'cni/calls'), 'utf8').trim().split('\n')
      return lines.map((line) => line.split(' '))
    } catch {
      return []
    }
  }

  records(): string[] {
    return globNames(join(this.config.rootFolder, 'sandboxes')).filter((name) => name.endsWith('.json'))
  }

  async createPod(name: string, spec: object, metadata: object = {}): Promise<PodResource> {
    return await this.kube.create(pods, {
      metadata: { name, namespace: 'default', ...metadata },
      spec: { nodeName: 'work01', ...spec },
    } as PodResource)
  }

  shell(script: string, extra: object = {}): object {
    return { name: 'main', image: 'busybox:1.28', command: ['sh', '-c', script], ...extra }
  }

  waitForPod<T>(name: string, look: (pod: PodResource) => T | undefined, what: string, timeoutMs = 8000): Promise<T> {
    const find = (): T | undefined => {
      const pod = this.pods.get(name, 'default')
      return pod === undefined ? undefined : look(pod)
    }
    const detail = (): string => JSON.stringify(this.pods.get(name, 'default')?.status)
    return waitFor(this.pods, find, { what: `pod ${name}: ${what}`, timeoutMs, detail })
  }

  waitForPhase(name: string, phase: string): Promise<PodResource> {
    return this.waitForPod(name, (pod) => (pod.status?.phase === phase ? pod : undefined), phase)
  }

  waitForEvent(reason: string, text = ''): Promise<EventResource> {
    const find = (): EventResource | undefined =>
      this.events.list().find((event) => event.reason === reason && event.message?.includes(text))
    const detail = (): string =>
      this.events
        .list()
        .map((event) => `${event.reason}: ${event.message}`)
        .join('\n')
    return waitFor(this.events, find, { what: `event ${reason}`, timeoutMs: 8000, detail })
  }

  /** For what only shows on disk. */
  async until(look: () => boolean, what: string): Promise<void> {
    for (let tries = 0; !look(); tries++) {
      if (tries > 200) throw new Error(`waited in vain for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}

function globNames(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

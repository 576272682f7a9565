import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Lifecycle } from '../../../base/lifecycle.ts'
import type { Log } from '../../../base/log.ts'
import { retry } from '../../../base/retry.ts'
import { Workqueue } from '../../../base/workqueue.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { isAlreadyExists, isConflict } from '../../../kube/errors.ts'
import { type NodeResource, nodes } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import type { NetworkConfigFolder } from '../network/config-folder.ts'
import type { Image } from '../runtime/image.ts'
import { buildNode, buildNodeStatus, type NodeFacts, nodeLabels } from './node-object.ts'

/** The version that the node reports; clients choose their behaviour by the API server's, not by this one. */
const version = 'v1.33.0'

/** Keeps this node's Node object: creates it, reports its conditions when they change and as a heartbeat. */
export class Registration implements Lifecycle {
  readonly #options: RegistrationOptions
  readonly #work: Workqueue
  #heartbeat: NodeJS.Timeout | undefined
  #bootId = ''

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#work = new Workqueue({ name: 'node-status', reconcile: () => this.#report(), log: options.log })
  }

  async start(signal: AbortSignal): Promise<void> {
    const { config, network } = this.#options
    this.#bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    await retry(() => this.#register(), { signal, onRetry: (error) => this.#say(error) })
    network.onChange(() => this.#work.add(config.nodeName))
    // What changed while the node was being created was not heard; without this it would wait for the heartbeat.
    this.#work.add(config.nodeName)
    this.#heartbeat = setInterval(() => this.#work.add(config.nodeName), config.heartbeatSeconds * 1000)
  }

  async stop(): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#work.stop()
  }

  async #register(): Promise<void> {
    const { kube } = this.#options
    const desired = buildNode(this.#facts())
    const existing = await kube.find(nodes, desired.metadata.name)
    if (existing === undefined) await kube.create(nodes, desired).catch(ignoreExisting)
    else await this.#ensureLabels(existing)
    await this.#report()
  }

  /** Adds this kubelet's labels; labels, annotations and taints that others wrote stay. */
  async #ensureLabels(node: NodeResource): Promise<void> {
    const labels = nodeLabels(this.#options.config)
    if (isDeepStrictEqual({ ...node.metadata.labels, ...labels }, node.metadata.labels)) return
    await this.#options.kube.patch(nodes, node.metadata.name, { type: 'merge', body: { metadata: { labels } } })
  }

  async #report(): Promise<void> {
    const { kube, config } = this.#options
    await retry(
      async () => {
        const node = await kube.get(nodes, config.nodeName)
        await kube.updateStatus(nodes, { ...node, status: buildNodeStatus(this.#facts(), node.status) })
      },
      { attempts: 5, minDelayMs: 10, retryable: isConflict },
    )
  }

  #facts(): NodeFacts {
    const { config, images, network } = this.#options
    return {
      ...{ config, images, version, bootId: this.#bootId },
      hasNetwork: network.current !== undefined,
      machineId: createHash('sha256').update(config.nodeName).digest('hex').slice(0, 32),
      now: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    }
  }

  #say(error: unknown): void {
    this.#options.log.warn({ error }, 'cannot register the node, will try again')
  }
}

export interface RegistrationOptions {
  config: KubeletConfig
  kube: KubeClient
  images: readonly Image[]
  network: Pick<NetworkConfigFolder, 'current' | 'onChange'>
  log: Log
}

function ignoreExisting(error: unknown): void {
  if (!isAlreadyExists(error)) throw error
}

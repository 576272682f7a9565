import { describeError } from '../base/errors.ts'
import { Workqueue } from '../base/workqueue.ts'
import type { CniRequest, NetworkConfig } from '../cni/request.ts'
import type { PodResource } from '../kube/resources/core.ts'
import type { PodRef } from '../networks/driver.ts'
import type { CniContext } from './cni-server/context.ts'
import { isForWholePod, selectExpected } from './cni-server/select.ts'

/** Most of the work is to wait for the API, and what waits for one write goes together. */
const concurrency = 32
/** How long one pod's preparation may take. */
const timeoutMs = 30_000

/**
 * Lets the networks prepare for pods that are bound to this node and have no container yet: the kubelet takes a tenth
 * of a second and more before it asks. Start it after the records have been restored.
 */
export class ExpectedPods {
  readonly #context: CniContext
  readonly #queue: Workqueue
  readonly #life = new AbortController()
  /** Pods that are expected, or for which something may still be prepared, by their place in the API. */
  readonly #pods = new Map<string, { readonly ref: PodRef; isPrepared: boolean }>()
  #config: NetworkConfig
  #unsubscribe: (() => void) | undefined

  /** `config`: the runtime's, until a request tells which one it really has. */
  constructor(context: CniContext, config: NetworkConfig) {
    this.#context = context
    this.#config = config
    const reconcile = (key: string): Promise<void> => this.#reconcile(key)
    this.#queue = new Workqueue({ name: 'expected-pods', reconcile, log: context.log, concurrency })
  }

  /** The runtime may have a configuration of its own, e.g. one that was written for Multus. */
  noteConfig(request: CniRequest): void {
    if (request.command !== 'ADD' || !isForWholePod(request)) return
    const { runtimeConfig: _, prevResult: __, ...config } = request.config
    this.#config = config
  }

  start(): void {
    this.#unsubscribe = this.#context.pods.on(({ type, object }) => {
      const key = `${object.metadata.namespace}/${object.metadata.name}`
      if (type !== 'deleted' && this.#isExpected(object)) this.#expect(key, object)
      if (this.#pods.has(key)) this.#queue.add(key)
    })
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.()
    this.#life.abort()
    await this.#queue.stop()
  }

  #expect(key: string, { metadata: { namespace = '', name, uid = '' } }: PodResource): void {
    if (!this.#pods.has(key)) this.#pods.set(key, { ref: { namespace, name, uid }, isPrepared: false })
  }

  async #reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/')
    const pod = this.#context.pods.get(name, namespace)
    const isExpected = pod !== undefined && this.#isExpected(pod)
    const before = this.#pods.get(key)
    if (before !== undefined && !(isExpected && before.ref.uid === pod.metadata.uid)) {
      await this.#settle(before.ref)
      this.#pods.delete(key)
    }
    if (!isExpected) return
    this.#expect(key, pod)
    const expected = this.#pods.get(key)
    if (expected === undefined || expected.isPrepared) return
    expected.isPrepared = true
    await this.#prepare(pod, expected.ref)
  }

  /** Of a pod that has had an address, the runtime may call at any moment. */
  #isExpected({ metadata, spec, status }: PodResource): boolean {
    const isNew =
      metadata.deletionTimestamp === undefined && this.#context.store.keyOfPod(metadata.uid ?? '') === undefined
    const isWaiting = (status?.phase ?? 'Pending') === 'Pending' && (status?.podIPs ?? []).length === 0
    return isNew && isWaiting && spec?.hostNetwork !== true && metadata.uid !== undefined
  }

  /** What cannot be prepared is told by the ADD, which then does it all. */
  async #prepare(pod: PodResource, ref: PodRef): Promise<void> {
    const { networks, log } = this.#context
    try {
      const signal = AbortSignal.any([this.#life.signal, AbortSignal.timeout(timeoutMs)])
      const selected = await selectExpected(pod, this.#config, this.#context, signal)
      await Promise.all(
        selected.map(async ({ driver, ifName, configList, requested }) => {
          const { preparation } = networks.nodeSide(driver)
          if (preparation === undefined) return
          await preparation.prepare({ pod: ref, ifName, config: driver.parseConfig(configList), requested })
        }),
      )
    } catch (error) {
      log.debug(
        { pod: ref.name, namespace: ref.namespace, error: describeError(error) },
        'nothing prepared for the pod',
      )
    }
  }

  async #settle(pod: PodRef): Promise<void> {
    await Promise.all(this.#context.networks.all.map(({ nodeSide }) => nodeSide.preparation?.settle(pod)))
  }
}

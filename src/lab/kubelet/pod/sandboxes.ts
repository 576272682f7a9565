import { randomBytes } from 'node:crypto'
import { describeError, TwinlaneError } from '../../../base/errors.ts'
import type { Log } from '../../../base/log.ts'
import type { NetworkConfigList } from '../../../cni/request.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import {
  addNetwork,
  deleteNetwork,
  type NetworkAttachment,
  NetworkPluginError,
  withRuntimeConfig,
} from '../network/attach.ts'
import { createNamespaces, namespacesExist, namespacesOf, removeNamespaces } from '../runtime/sandbox.ts'
import { type SandboxRecord, withSandbox } from './record.ts'
import type { RecordStore } from './record-store.ts'

/** As long as kubelets wait for a runtime's sandbox. */
const addTimeoutMs = 120_000
const deleteTimeoutMs = 60_000

/** A sandbox could not be made; the message is what the event FailedCreatePodSandBox says. */
export class SandboxError extends TwinlaneError {}

/** Makes and removes pod sandboxes: namespaces and their attachment to the node's network. */
export class Sandboxes {
  readonly #config: KubeletConfig
  readonly #records: RecordStore
  readonly #log: Log

  constructor(options: { config: KubeletConfig; records: RecordStore; log: Log }) {
    this.#config = options.config
    this.#records = options.records
    this.#log = options.log
  }

  /**
   * Makes a new sandbox for a pod that has a record; `network` is undefined for a pod on the node's own network. On
   * failure all is taken back. Throws SandboxError.
   */
  async create(options: {
    uid: string
    pod: PodResource
    hostname: string
    network: NetworkConfigList | undefined
    signal: AbortSignal
  }): Promise<void> {
    const { uid, hostname, signal } = options
    const sandbox = this.#design(options.pod, options.network)
    await this.#save(uid, sandbox)
    try {
      await createNamespaces(sandbox.namespaces, hostname)
      await this.#save(uid, { ...sandbox, ...(await this.#attach(sandbox, signal)), isReady: true })
    } catch (error) {
      // A failure to take back is left to the next attempt, which removes the recorded sandbox first.
      await this.remove(uid).catch(() => {})
      throw sandboxError(sandbox, error)
    }
  }

  /** CNI DEL, then the namespaces. Throws when DEL fails; the record then still holds what is left to do. */
  async remove(uid: string): Promise<void> {
    const sandbox = this.#records.get(uid)?.sandbox
    if (sandbox === undefined) return
    if (sandbox.network !== undefined) await this.#detach(sandbox, sandbox.network)
    await removeNamespaces(sandbox.namespaces)
    await this.#save(uid, undefined)
  }

  async exists(sandbox: SandboxRecord): Promise<boolean> {
    return sandbox.isReady && (await namespacesExist(sandbox.namespaces))
  }

  #design(pod: PodResource, network: NetworkConfigList | undefined): SandboxRecord {
    const id = randomBytes(32).toString('hex')
    const { netnsFolder, runFolder } = this.#config
    const namespaces = namespacesOf({ id, netnsFolder, runFolder, hostNetwork: network === undefined })
    const isReady = false
    if (network === undefined || namespaces.netns === undefined) return { id, namespaces, isReady, ips: [] }
    return { id, namespaces, network: buildAttachment({ pod, id, netns: namespaces.netns, network }), isReady, ips: [] }
  }

  async #attach(sandbox: SandboxRecord, signal: AbortSignal): Promise<Partial<SandboxRecord>> {
    const { network } = sandbox
    if (network === undefined) return {}
    const limits = { binFolder: this.#config.cniBinFolder, timeoutMs: addTimeoutMs, signal }
    const result = await this.#timed('ADD', network, () => addNetwork(network, limits))
    const ips = result.ips.map((ip) => ip.address.replace(/\/.*$/, ''))
    if (ips.length === 0) throw new TwinlaneError(`network "${network.config.name}" gave the pod no address`)
    return { network: { ...network, result }, ips }
  }

  async #detach(sandbox: SandboxRecord, network: NetworkAttachment): Promise<void> {
    // A namespace that is gone, as after a restart of the node, is named as empty: the plugin then frees what it can.
    const netns = (await namespacesExist(sandbox.namespaces)) ? network.netns : ''
    const limits = { binFolder: this.#config.cniBinFolder, timeoutMs: deleteTimeoutMs }
    await this.#timed('DEL', network, () => deleteNetwork({ ...network, netns }, limits))
  }

  /** Logs how long a call of the plugin took, which users and benches compare with what the plugin says itself. */
  async #timed<T>(
    command: 'ADD' | 'DEL',
    { containerId, args }: NetworkAttachment,
    call: () => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now()
    const answer = await call()
    const durationMs = Math.round((performance.now() - startedAt) * 100) / 100
    this.#log.info({ command, containerId, pod: args.K8S_POD_NAME, durationMs }, 'CNI call done')
    return answer
  }

  #save(uid: string, sandbox: SandboxRecord | undefined): Promise<void> {
    return this.#records.update(uid, (record) => withSandbox(record, sandbox))
  }
}

function buildAttachment(options: {
  pod: PodResource
  id: string
  netns: string
  network: NetworkConfigList
}): NetworkAttachment {
  const { pod, id, netns, network } = options
  return {
    config: withRuntimeConfig(network, { portMappings: portMappingsOf(pod) }),
    containerId: id,
    netns,
    args: {
      IgnoreUnknown: '1',
      K8S_POD_NAMESPACE: pod.metadata.namespace ?? '',
      K8S_POD_NAME: pod.metadata.name,
      K8S_POD_INFRA_CONTAINER_ID: id,
      K8S_POD_UID: pod.metadata.uid ?? '',
    },
  }
}

function portMappingsOf(pod: PodResource): object[] | undefined {
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? [])
  const mappings = ports
    .filter((port) => port.hostPort !== undefined && port.hostPort > 0)
    .map(({ hostPort, containerPort, protocol = 'TCP', hostIP = '' }) => {
      return { hostPort, containerPort, protocol: protocol.toLowerCase(), hostIP }
    })
  return mappings.length === 0 ? undefined : mappings
}

function sandboxError(sandbox: SandboxRecord, error: unknown): SandboxError {
  const isNetwork = error instanceof NetworkPluginError
  const what = isNetwork ? `failed to setup network for sandbox "${sandbox.id}"` : 'failed to make the sandbox'
  const said = isNetwork ? error.message : describeError(error)
  const message = `Failed to create pod sandbox: rpc error: code = Unknown desc = ${what}: ${said}`
  return new SandboxError(message, { cause: error })
}

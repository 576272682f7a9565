import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Container } from 'kubernetes-types/core/v1.js'
import { describeError } from '../../../base/errors.ts'
import type { KubeClient } from '../../../kube/api.ts'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'
import { getImage, type Image } from '../runtime/image.ts'
import type { Bind } from '../runtime/oci-spec.ts'
import { type ContainerRuntime, ContainerStartError } from '../runtime/runtime.ts'
import { buildContainerSpec } from './container-spec.ts'
import { buildEnv, type PodFacts } from './env.ts'
import { writeEtcFiles } from './etc-files.ts'
import { logPathOf, podFolderOf } from './paths.ts'
import type { StartStep } from './plan.ts'
import { type SandboxRecord, withAttempt, withChange, withStart } from './record.ts'
import type { RecordStore } from './record-store.ts'
import { readSources, sourcesOfEnv, sourcesOfVolumes } from './sources.ts'
import { prepareVolumes, volumeBinds } from './volumes.ts'

/** What all containers of a pod share: its volumes' paths and its files under /etc. */
export interface PodFiles {
  readonly volumes: ReadonlyMap<string, string>
  readonly etc: readonly Bind[]
}

export interface ContainersDeps {
  config: KubeletConfig
  kube: KubeClient
  runtime: ContainerRuntime
  images: readonly Image[]
  records: RecordStore
}

/** Starts a pod's containers in its sandbox. */
export class Containers {
  readonly #deps: ContainersDeps

  constructor(deps: ContainersDeps) {
    this.#deps = deps
  }

  /** Makes what the containers share. Throws MissingSourceError. */
  async prepareFiles(uid: string, pod: PodResource, facts: PodFacts): Promise<PodFiles> {
    const { config, kube } = this.#deps
    const [spec, namespace] = [pod.spec ?? { containers: [] }, pod.metadata.namespace ?? '']
    const folder = podFolderOf(config, uid)
    const sources = await readSources(kube, namespace, sourcesOfVolumes(spec))
    const [volumes, etc] = await Promise.all([
      prepareVolumes(spec, join(folder, 'volumes'), sources),
      writeEtcFiles(spec, join(folder, 'etc'), { ...config, ...facts, namespace }),
    ])
    return { volumes, etc }
  }

  /** Throws ImageNotFoundError, MissingSourceError or ContainerStartError; the last one is recorded as an exit. */
  async start(options: {
    uid: string
    pod: PodResource
    sandbox: SandboxRecord
    step: StartStep
    files: PodFiles
    facts: PodFacts
    onProgress: (reason: 'Pulled' | 'Created' | 'Started') => void
  }): Promise<void> {
    const { uid, pod, step, files, facts, onProgress } = options
    const { container } = step
    const { runtime } = this.#deps
    const image = getImage(this.#deps.images, container.image ?? '')
    onProgress('Pulled')
    const env = await this.#envOf(pod, container, image, facts)
    const binds = [...files.etc, ...volumeBinds(container, files.volumes)]
    const id = randomBytes(32).toString('hex')
    await this.#recordAttempt(id, options)
    const spec = buildContainerSpec({
      ...{ id, pod, container, image, env, binds },
      rootfs: runtime.rootfsOf(id),
      namespaces: options.sandbox.namespaces,
    })
    const logPath = logPathOf(this.#deps.config, pod, container.name, step.attempt)
    const startedAtMs = Date.now()
    try {
      await runtime.prepareRootfs(id, image)
      await runtime.create(spec, { logPath, keepsStdin: container.stdin === true })
      onProgress('Created')
      await runtime.startProcess(id)
      onProgress('Started')
    } catch (error) {
      await this.#recordFailure(uid, id, error)
      throw error
    }
    await this.#deps.records.update(uid, (record) => withStart(record, id, startedAtMs))
  }

  async #envOf(pod: PodResource, container: Container, image: Image, facts: PodFacts): Promise<Record<string, string>> {
    const sources = await readSources(this.#deps.kube, pod.metadata.namespace ?? '', sourcesOfEnv(container))
    return buildEnv({ pod, container, image: image.env, sources, facts })
  }

  /** The logs of the last two attempts are kept, as `kubectl logs --previous` needs them. */
  async #recordAttempt(
    id: string,
    { uid, pod, step }: { uid: string; pod: PodResource; step: StartStep },
  ): Promise<void> {
    const { records, runtime } = this.#deps
    const { attempt, backoffMs, container } = step
    const forgotten = records.get(uid)?.containers[container.name]?.previous
    await records.update(uid, (record) =>
      withAttempt(record, container.name, { id, attempt, backoffMs, state: 'created', createdAtMs: Date.now() }),
    )
    if (forgotten === undefined) return
    const logPath = logPathOf(this.#deps.config, pod, container.name, forgotten.attempt)
    await Promise.all([runtime.forget(forgotten.id), rm(logPath, { force: true })])
  }

  async #recordFailure(uid: string, id: string, error: unknown): Promise<void> {
    const { records, runtime } = this.#deps
    const message = error instanceof ContainerStartError ? error.message : describeError(error)
    const finishedAtMs = Date.now()
    await records.update(uid, (record) =>
      withChange(record, id, { state: 'exited', exitCode: 128, reason: 'StartError', message, finishedAtMs }),
    )
    await runtime.remove(id)
    await runtime.forget(id)
  }
}

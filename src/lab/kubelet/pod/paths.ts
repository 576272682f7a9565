import { join } from 'node:path'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { KubeletConfig } from '../config.ts'

/** Volumes and files of a pod. */
export function podFolderOf(config: KubeletConfig, uid: string): string {
  return join(config.rootFolder, 'pods', uid)
}

export function logFolderOf(config: KubeletConfig, pod: { namespace: string; name: string; uid: string }): string {
  return join(config.logFolder, `${pod.namespace}_${pod.name}_${pod.uid}`)
}

/** The log of one attempt of a container, where Kubernetes' node agents look for it. */
export function logPathOf(config: KubeletConfig, pod: PodResource, container: string, attempt: number): string {
  const { namespace = '', name, uid = '' } = pod.metadata
  return join(logFolderOf(config, { namespace, name, uid }), container, `${attempt}.log`)
}

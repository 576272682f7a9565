import { join } from 'node:path'
import { describeError } from '../../base/errors.ts'
import { findFile } from '../../base/file.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { PodDevices } from '../../meta/assign-devices.ts'
import type { PodRef } from '../../networks/driver.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { callGrpc } from './grpc-call.ts'
import { decodeListResponse } from './pod-resources-message.ts'

/** How long the kubelet may take; it limits how often it may be asked. */
const timeoutMs = 10_000

/**
 * Devices that the kubelet has given a pod: by its podresources socket, and if that does not answer, from its
 * checkpoint. Throws CniError with code 11 when neither can be had: the pod must not start without its devices.
 */
export async function findPodDevices(
  pod: PodRef,
  options: { kubeletFolder: string; signal?: AbortSignal },
): Promise<PodDevices> {
  try {
    return await listDevices(pod, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    const devices = await findInCheckpoint(pod, options.kubeletFolder, error)
    if (devices !== undefined) return devices
    throw new CniError(
      cniErrorCode.tryAgainLater,
      `the kubelet does not tell the pod's devices: ${describeError(error)}`,
      {
        fix: `Look whether the agent sees ${options.kubeletFolder} of the host.`,
        cause: error,
      },
    )
  }
}

async function listDevices(
  pod: PodRef,
  { kubeletFolder, signal }: { kubeletFolder: string; signal?: AbortSignal },
): Promise<PodDevices> {
  const answer = await callGrpc({
    socketPath: join(kubeletFolder, 'pod-resources/kubelet.sock'),
    method: '/v1.PodResourcesLister/List',
    request: Buffer.alloc(0),
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
  })
  const devices = new Map<string, string[]>()
  const entry = decodeListResponse(answer).find((each) => each.name === pod.name && each.namespace === pod.namespace)
  for (const { resourceName, ids } of entry?.devices ?? []) {
    devices.set(resourceName, [...(devices.get(resourceName) ?? []), ...ids])
  }
  return devices
}

async function findInCheckpoint(pod: PodRef, kubeletFolder: string, cause: unknown): Promise<PodDevices | undefined> {
  const path = join(kubeletFolder, 'device-plugins/kubelet_internal_checkpoint')
  const text = await findFile(path)
  if (text === undefined) return undefined
  try {
    return parseCheckpoint(text, pod.uid)
  } catch (error) {
    throw new CniError(
      cniErrorCode.tryAgainLater,
      `the kubelet does not tell the pod's devices: ${describeError(cause)}; ${path}: ${describeError(error)}`,
      { cause: error },
    )
  }
}

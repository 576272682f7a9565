import { CniError, cniErrorCode } from '../cni/errors.ts'
import type { AssignedDevice } from '../networks/driver.ts'

/** What the kubelet has given a pod: IDs by the name of their resource. */
export type PodDevices = ReadonlyMap<string, readonly string[]>

/**
 * Hands a pod's devices to its attachments: IDs are sorted, and the n-th attachment by a resource gets the n-th ID, as
 * with Multus. The returned function throws CniError when a resource has run out, where Multus goes on without.
 */
export function createDeviceAssignment(devices: PodDevices): (resourceName: string, owner: string) => AssignedDevice {
  const used = new Map<string, number>()
  return (resourceName, owner) => {
    const ids = (devices.get(resourceName) ?? []).toSorted()
    const index = used.get(resourceName) ?? 0
    used.set(resourceName, index + 1)
    const id = ids[index]
    if (id !== undefined) return { resourceName, id }
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      `network ${owner} needs a device of ${resourceName}, and the pod has ${ids.length} of which all are in use by its other networks`,
      { fix: `Let a container of the pod ask for ${index + 1} of ${resourceName} in resources.limits.` },
    )
  }
}

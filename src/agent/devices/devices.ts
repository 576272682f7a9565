import type { PodDevices } from '../../meta/assign-devices.ts'
import type { AssignedDevice, PodRef } from '../../networks/driver.ts'
import {
  copyDeviceInfo,
  type DeviceInfoOwner,
  deviceInfoFile,
  findDeviceInfo,
  removeDeviceInfo,
} from './device-info.ts'
import { findPodDevices } from './find-pod-devices.ts'

export interface DeviceFolders {
  /** The kubelet's, e.g. /var/lib/kubelet */
  readonly kubeletFolder: string
  /** Of the device information specification: /var/run/k8s.cni.cncf.io/devinfo */
  readonly deviceInfoFolder: string
}

/** Devices of device plugins on this node, and what is known of them. */
export class Devices {
  readonly #folders: DeviceFolders

  constructor(folders: DeviceFolders) {
    this.#folders = folders
  }

  /** What the kubelet has given a pod. Throws CniError with code 11 when it does not tell. */
  findOf(pod: PodRef, signal: AbortSignal): Promise<PodDevices> {
    return findPodDevices(pod, { kubeletFolder: this.#folders.kubeletFolder, signal })
  }

  infoFile(owner: DeviceInfoOwner): string {
    return deviceInfoFile(this.#folders.deviceInfoFolder, owner)
  }

  findInfo(owner: DeviceInfoOwner): Record<string, unknown> | undefined {
    return findDeviceInfo(this.#folders.deviceInfoFolder, owner)
  }

  async copyInfo(owner: DeviceInfoOwner, device: AssignedDevice): Promise<void> {
    await copyDeviceInfo(this.#folders.deviceInfoFolder, owner, device)
  }

  async removeInfo(owner: DeviceInfoOwner): Promise<void> {
    await removeDeviceInfo(this.#folders.deviceInfoFolder, owner)
  }
}

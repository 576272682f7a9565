import type { NetworkConfigList } from '../../cni/request.ts'
import type { Devices } from './devices.ts'
import { hasDevice } from './with-device-info.ts'

/** Attachments with what is known of their devices, for network-status. */
export function describeDevices<T extends { networkName: string; ifName: string; configList: NetworkConfigList }>(
  attachments: readonly T[],
  containerId: string,
  devices: Devices,
): (T & { deviceInfo?: Record<string, unknown> })[] {
  return attachments.map((attachment) => {
    const deviceInfo = hasDevice(attachment.configList) ? devices.findInfo({ ...attachment, containerId }) : undefined
    return deviceInfo === undefined ? attachment : { ...attachment, deviceInfo }
  })
}

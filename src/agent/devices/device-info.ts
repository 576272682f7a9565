import { readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { findFile, writeFileAtomic } from '../../base/file.ts'
import type { AssignedDevice } from '../../networks/driver.ts'

/** Which attachment a file of device information belongs to. */
export interface DeviceInfoOwner {
  readonly networkName: string
  readonly containerId: string
  readonly ifName: string
}

/**
 * Where the network writes, and readers find, information on an attachment's device (device information
 * specification 1.1.0 of the Network Plumbing Working Group). Gone after a reboot, as the attachments are.
 */
export function deviceInfoFile(folder: string, { networkName, containerId, ifName }: DeviceInfoOwner): string {
  return join(folder, 'cni', `${networkName}-${containerId}_${ifName}`.replaceAll('/', '-'))
}

/** Gives the network what the device plugin has written about the device, if it has. */
export async function copyDeviceInfo(folder: string, owner: DeviceInfoOwner, device: AssignedDevice): Promise<void> {
  const name = `${device.resourceName}-${device.id}-device.json`.replaceAll('/', '-')
  const text = await findFile(join(folder, 'dp', name))
  if (text === undefined) return
  const path = deviceInfoFile(folder, owner)
  await mkdir(dirname(path), { recursive: true })
  await writeFileAtomic(path, text, { mode: 0o444, durability: 'none' })
}

/** What is known of an attachment's device, for network-status. A file that is no JSON object is told to nobody. */
export function findDeviceInfo(folder: string, owner: DeviceInfoOwner): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(deviceInfoFile(folder, owner), 'utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

export async function removeDeviceInfo(folder: string, owner: DeviceInfoOwner): Promise<void> {
  await rm(deviceInfoFile(folder, owner), { force: true })
}

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NodeSide } from '../../networks/driver.ts'
import { Devices } from './devices.ts'
import { withDeviceInfo } from './with-device-info.ts'

const owner = { networkName: 'blue/sriov', containerId: 'c1', ifName: 'net1' }
let folder: string
let devices: Devices

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'device-info-'))
  devices = new Devices({ kubeletFolder: folder, deviceInfoFolder: folder })
  await mkdir(join(folder, 'dp'))
})
afterEach(() => rm(folder, { recursive: true }))

describe("information on an attachment's device", () => {
  test('is copied from the device plugin under the name that readers expect, and removed', async () => {
    await writeFile(join(folder, 'dp/a.com-r-0000:01:00.0-device.json'), '{"type":"pci"}')
    await devices.copyInfo(owner, { resourceName: 'a.com/r', id: '0000:01:00.0' })
    expect(await readdir(join(folder, 'cni'))).toEqual(['blue-sriov-c1_net1'])
    expect(devices.findInfo(owner)).toEqual({ type: 'pci' })
    await devices.removeInfo(owner)
    await devices.removeInfo(owner)
    expect(devices.findInfo(owner)).toBeUndefined()
  })

  test('is none when the device plugin has written nothing, or no JSON object', async () => {
    await devices.copyInfo(owner, { resourceName: 'a.com/r', id: 'x' })
    expect(devices.findInfo(owner)).toBeUndefined()
    await mkdir(join(folder, 'cni'))
    for (const text of ['[1]', '{', 'null', '1']) {
      await writeFile(join(folder, 'cni/blue-sriov-c1_net1'), text)
      expect(devices.findInfo(owner)).toBeUndefined()
    }
  })
})

test('a network with device information is the same network in all else', () => {
  const inner: Record<string, unknown> = Object.fromEntries(
    ['start', 'stop', 'attach', 'detach', 'verify', 'collectGarbage', 'status', 'prefixes'].map((name) => [
      name,
      () => name,
    ]),
  )
  const wrapped = withDeviceInfo(inner as unknown as NodeSide, devices)
  expect(Object.keys(wrapped).sort()).toEqual(Object.keys(inner).sort())
  expect(wrapped.prefixes?.()).toBe('prefixes')
})

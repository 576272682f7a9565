import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serveKubeletResources, type TestPodResources } from '../../../test/support/kubelet-resources.ts'
import { findPodDevices } from './find-pod-devices.ts'
import { decodeListResponse } from './pod-resources-message.ts'

const pod = { namespace: 'blue', name: 'web', uid: 'u1' }
let kubeletFolder: string
let server: { close(): void } | undefined

beforeEach(async () => {
  kubeletFolder = await mkdtemp(join(tmpdir(), 'kubelet-'))
})
afterEach(async () => {
  server?.close()
  server = undefined
  await rm(kubeletFolder, { recursive: true, force: true })
})

async function serve(resources: readonly TestPodResources[] | Error): Promise<void> {
  server = await serveKubeletResources(kubeletFolder, resources)
}

async function writeCheckpoint(value: unknown): Promise<void> {
  await mkdir(join(kubeletFolder, 'device-plugins'), { recursive: true })
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  await writeFile(join(kubeletFolder, 'device-plugins/kubelet_internal_checkpoint'), text)
}

const checkpoint = {
  Data: {
    PodDeviceEntries: [
      { PodUID: 'u1', ContainerName: 'a', ResourceName: 'intel.com/sriov', DeviceIDs: { '0': ['d1'], '1': ['d2'] } },
      { PodUID: 'u1', ContainerName: 'b', ResourceName: 'intel.com/sriov', DeviceIDs: ['d3'] },
      { PodUID: 'other', ContainerName: 'a', ResourceName: 'intel.com/sriov', DeviceIDs: ['d4'] },
    ],
    RegisteredDevices: {},
  },
  Checksum: 1,
}

describe("a pod's devices", () => {
  test('come from the kubelet over gRPC, those of all its containers together', async () => {
    await serve([
      { name: 'web', namespace: 'other', devices: [{ resourceName: 'intel.com/sriov', deviceIds: ['no'] }] },
      {
        name: 'web',
        namespace: 'blue',
        devices: [
          { resourceName: 'intel.com/sriov', deviceIds: ['d2', 'd1'] },
          { resourceName: 'example.com/x', deviceIds: ['x'] },
          { resourceName: 'intel.com/sriov', deviceIds: ['d3'] },
        ],
      },
    ])
    const devices = await findPodDevices(pod, { kubeletFolder })
    expect(Object.fromEntries(devices)).toEqual({ 'intel.com/sriov': ['d2', 'd1', 'd3'], 'example.com/x': ['x'] })
  })

  test('are none when the kubelet has given the pod none', async () => {
    await serve([])
    expect((await findPodDevices(pod, { kubeletFolder })).size).toBe(0)
  })

  test('come in an answer of a thousand pods too', async () => {
    const others = Array.from({ length: 1000 }, (_, index) => ({
      name: `pod-${index}`,
      namespace: 'blue',
      devices: [{ resourceName: 'intel.com/sriov', deviceIds: [`0000:00:${index}`] }],
    }))
    await serve([...others, { name: 'web', namespace: 'blue', devices: [{ resourceName: 'r', deviceIds: ['last'] }] }])
    expect((await findPodDevices(pod, { kubeletFolder })).get('r')).toEqual(['last'])
  })

  test("come from the kubelet's checkpoint, by UID, when its socket is not there or refuses", async () => {
    await writeCheckpoint(checkpoint)
    const expected = { 'intel.com/sriov': ['d1', 'd2', 'd3'] }
    expect(Object.fromEntries(await findPodDevices(pod, { kubeletFolder }))).toEqual(expected)
    await serve(new Error('rejected by rate limit'))
    expect(Object.fromEntries(await findPodDevices(pod, { kubeletFolder }))).toEqual(expected)
  })

  test('are an error to try again when neither can be had, with what the kubelet said', async () => {
    await expect(findPodDevices(pod, { kubeletFolder })).rejects.toMatchObject({ code: 11 })
    await serve(new Error('rejected by rate limit'))
    await expect(findPodDevices(pod, { kubeletFolder })).rejects.toThrow('gRPC status 8: rejected by rate limit')
    await writeCheckpoint('{"Data":')
    await expect(findPodDevices(pod, { kubeletFolder })).rejects.toThrow('kubelet_internal_checkpoint')
  })
})

test('bytes that are no such message are refused and never read for ever', () => {
  for (const bytes of [[0x0a], [0x0a, 5, 1], [0x0b, 0], [0x0a, 2, 0x0a, 9], Array<number>(20).fill(0xff)]) {
    expect(() => decodeListResponse(Buffer.from(bytes))).toThrow(RangeError)
  }
})

import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { pods } from '../../src/kube/resources/core.ts'
import { testDefinition, testPod } from '../support/agent.ts'
import type { CniOutcome } from '../support/cni.ts'
import { serveKubeletResources } from '../support/kubelet-resources.ts'
import { ip, ipJson } from '../support/netns.ts'
import { usePodSandbox } from './support/pod-sandbox.ts'

const sandbox = usePodSandbox()
const resourceName = 'intel.com/sriov'
let kubelet: { close(): void } | undefined

afterEach(() => {
  kubelet?.close()
  kubelet = undefined
})
beforeAll(() => {
  // The default network of these tests.
  expect(existsSync('/usr/lib/cni/ptp')).toBe(true)
})

/** A plugin that keeps what it was told and says that it made the interface. */
async function installPlugin(): Promise<void> {
  const result = '{"cniVersion":"1.0.0","interfaces":[{"name":"%s","sandbox":"pod"}]}'
  const path = join(sandbox.folder, 'bin/sriov')
  const script = [
    '#!/bin/sh',
    `cat > ${sandbox.folder}/$CNI_COMMAND-$CNI_IFNAME`,
    `[ $CNI_COMMAND = ADD ] && printf '${result}' "$CNI_IFNAME"`,
    'exit 0',
  ]
  await mkdir(join(sandbox.folder, 'bin'), { recursive: true })
  await writeFile(path, script.join('\n'))
  await chmod(path, 0o755)
}

async function startAgent(networks: string): Promise<void> {
  await installPlugin()
  const config = { cniVersion: '1.0.0', type: 'sriov', capabilities: { deviceID: true, CNIDeviceInfoFile: true } }
  const definition = testDefinition('sriov', config)
  const annotations = { 'k8s.v1.cni.cncf.io/resourceName': resourceName }
  await sandbox.startAgent({
    pods: [testPod('web', networks)],
    definitions: [
      { ...definition, metadata: { ...definition.metadata, annotations } },
      testDefinition('plain', { cniVersion: '1.0.0', type: 'bridge', bridge: 'br-plain', ipam: {} }),
    ],
  })
}

async function giveDevices(deviceIds: readonly string[]): Promise<void> {
  const devices = [{ resourceName, deviceIds }]
  kubelet = await serveKubeletResources(join(sandbox.folder, 'kubelet'), [
    { name: 'web', namespace: 'default', devices },
  ])
}

function call(command: string): Promise<CniOutcome> {
  const ipam = { type: 'host-local', subnet: '10.1.0.0/24', dataDir: join(sandbox.folder, 'ipam') }
  const delegates = [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'ptp', ipam }]
  const config = { cniVersion: '1.0.0', name: 'multus-cni-network', type: 'multus', delegates }
  return sandbox.call(command, config)
}

async function toldTo(command: string, ifName: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(sandbox.folder, `${command}-${ifName}`), 'utf8'))
}

describe('networks that are made of devices', () => {
  test('get the devices that the kubelet gave the pod, and DEL gets them again', async () => {
    await giveDevices(['0000:02:00.0', '0000:01:00.0'])
    await startAgent('sriov@vf1,sriov@vf2')
    expect((await call('ADD')).code).toBe(0)
    expect(await toldTo('ADD', 'vf1')).toMatchObject({ deviceID: '0000:01:00.0', pciBusID: '0000:01:00.0' })
    expect(await toldTo('ADD', 'vf2')).toMatchObject({
      deviceID: '0000:02:00.0',
      runtimeConfig: {
        deviceID: '0000:02:00.0',
        CNIDeviceInfoFile: join(sandbox.folder, 'devinfo/cni/default-sriov-c1_vf2'),
      },
    })
    kubelet?.close()
    expect(await call('DEL')).toEqual({ code: 0, json: undefined })
    expect(await toldTo('DEL', 'vf2')).toMatchObject({ deviceID: '0000:02:00.0' })
  })

  test('are shown with their device information, which goes with the pod', async () => {
    await giveDevices(['0000:01:00.0'])
    const info = { type: 'pci', version: '1.1.0', pci: { 'pci-address': '0000:01:00.0' } }
    await mkdir(join(sandbox.folder, 'devinfo/dp'), { recursive: true })
    await writeFile(join(sandbox.folder, 'devinfo/dp/intel.com-sriov-0000:01:00.0-device.json'), JSON.stringify(info))
    await startAgent('sriov@vf1')
    await call('ADD')
    expect(await readdir(join(sandbox.folder, 'devinfo/cni'))).toEqual(['default-sriov-c1_vf1'])
    const statusOf = async (): Promise<string> =>
      (await sandbox.kube.get(pods, 'web', 'default')).metadata.annotations?.['k8s.v1.cni.cncf.io/network-status'] ??
      '[]'
    await expect
      .poll(async () => JSON.parse(await statusOf()))
      .toMatchObject([
        { name: 'k8s-pod-network', default: true },
        { name: 'default/sriov', interface: 'vf1', 'device-info': info },
      ])
    await call('DEL')
    expect(await readdir(join(sandbox.folder, 'devinfo/cni'))).toEqual([])
    expect(await readdir(join(sandbox.folder, 'devinfo/dp'))).toHaveLength(1)
  })

  test('keep the pod from starting when they have run out, and nothing is left', async () => {
    await giveDevices(['0000:01:00.0'])
    await startAgent('sriov,sriov')
    const { code, json } = await call('ADD')
    expect(code).toBe(1)
    expect(json?.msg).toContain(`network default/sriov needs a device of ${resourceName}, and the pod has 1`)
    expect(existsSync(join(sandbox.folder, 'ADD-net1'))).toBe(false)
    expect(await sandbox.leases()).toEqual([])
  })

  test('keep the pod waiting while the kubelet does not tell', async () => {
    await startAgent('sriov')
    expect((await call('ADD')).json).toMatchObject({ code: 11 })
    await giveDevices(['0000:01:00.0'])
    expect((await call('ADD')).code).toBe(0)
  })
})

test('an interface that is already in the pod is a clear failure, and nothing is left but it', async () => {
  await startAgent('plain@eth1')
  await ip(sandbox.netns, 'link', 'add', 'eth1', 'type', 'bridge')
  const { code, json } = await call('ADD')
  expect(code).toBe(1)
  expect(json?.msg).toContain('network "default/plain" (eth1): the pod has an interface "eth1" already')
  expect((await ipJson(sandbox.netns, 'link')).map((link) => link.ifname)).toEqual(['lo', 'eth1'])
  expect(await sandbox.leases()).toEqual([])
})

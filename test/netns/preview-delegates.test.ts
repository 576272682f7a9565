import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { Lifecycle } from '../../src/base/lifecycle.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { nodes, pods } from '../../src/kube/resources/core.ts'
import { type PodPreview, previewPod } from '../../src/preview/preview-pod.ts'
import {
  createTestAgent,
  createTestKube,
  makeTestFolder,
  removeTestFolder,
  testDefinition,
  testPod,
} from '../support/agent.ts'
import { buildShim, runCni } from '../support/cni.ts'
import { ip, ipJson, makeNetns, removeNetns } from '../support/netns.ts'

const kernel = createKernel()
let folder: string
let netns: string
let agent: Lifecycle | undefined

beforeEach(async () => {
  folder = await makeTestFolder()
  netns = await makeNetns()
})
afterEach(async () => {
  await agent?.stop()
  await removeNetns(netns)
  await exec('ip', ['link', 'delete', 'br-preview'], { okCodes: [0, 1] })
  await removeTestFolder(folder)
})

const ptp = { cniVersion: '1.0.0', name: 'first', type: 'ptp', mtu: 1380 }
const bridge = { cniVersion: '1.0.0', name: 'second', type: 'bridge', bridge: 'br-preview', isGateway: true }
const withDefault = { routes: [{ dst: '0.0.0.0/0' }] }

function hostLocal(subnet: string, more: object = {}): object {
  return { type: 'host-local', dataDir: join(folder, 'ipam'), ranges: [[{ subnet }]], ...more }
}

test.each([
  { what: 'ptp, and a bridge that takes the default route', first: ptp, second: bridge, gateway: '10.2.0.1' },
  { what: 'a bridge, and ptp that takes the default route', first: bridge, second: ptp, gateway: '10.2.0.1' },
  { what: 'ptp beside ptp, which takes nothing', first: ptp, second: { ...ptp, name: 'second' }, gateway: undefined },
])('the preview of $what has the routes and rules that the kernel has', async ({ first, second, gateway }) => {
  const netConf = {
    cniVersion: '1.0.0',
    name: 'all',
    type: 'twinlane',
    delegates: [{ ...first, name: 'first', ipam: hostLocal('10.1.0.0/24', withDefault) }],
  }
  const definition = { ...second, name: 'second', ipam: hostLocal('10.2.0.0/24', { routes: [{ dst: '10.9.0.0/16' }] }) }
  const wanted = { name: 'second', interface: 'eth1', ...(gateway === undefined ? {} : { 'default-route': [gateway] }) }
  const kube = createTestKube({
    pods: [testPod('web', JSON.stringify([wanted]))],
    definitions: [testDefinition('second', definition)],
  })
  const pod = await kube.get(pods, 'web', 'default')
  const sources = { kube, netConf, settings: {}, pod, nodes: [await kube.get(nodes, 'node')] }
  const [preview] = await previewPod(sources)
  agent = createTestAgent({ folder, kube, kernel, shim: await buildShim(folder) })
  await agent.start(new AbortController().signal)
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: netns,
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web',
    TWINLANE_SOCKET: join(folder, 'run/cni.sock'),
  }
  const { json } = await runCni(join(folder, 'bin/twinlane'), env, netConf)
  expect(json).toMatchObject({ ips: expect.any(Array) })
  await expectAsPreviewed(preview)
  await runCni(join(folder, 'bin/twinlane'), { ...env, CNI_COMMAND: 'DEL' }, netConf)
})

async function expectAsPreviewed(preview: PodPreview | undefined): Promise<void> {
  const addresses = new Map<string, string>()
  for (const { ifname, addr_info } of await ipJson(netns, '-4', 'address')) {
    addresses.set(String(ifname), (addr_info as { local: string }[])[0]?.local ?? '')
  }
  const decided = (lines: readonly string[] = []): string[] =>
    lines.map((line) => line.replace(/<(\w+)>/g, (_, name: string) => addresses.get(name) ?? 'none')).sort()
  const inKernel = async (...args: string[]): Promise<string[]> =>
    (await ip(netns, ...args))
      .split('\n')
      .map((line) => line.replace('proto kernel ', '').replace(/\s+/g, ' ').trim())
      .filter((line) => line !== '')
      .sort()
  expect(decided(preview?.routes)).toEqual(await inKernel('route'))
  expect(decided(preview?.rules)).toEqual((await inKernel('rule')).filter((line) => /^1\d\d\d:/.test(line)))
  for (const [table, routes] of Object.entries(preview?.tables ?? {})) {
    expect(decided(routes)).toEqual(await inKernel('route', 'show', 'table', table))
  }
  for (const { name, mtuBytes } of preview?.interfaces ?? []) {
    if (mtuBytes !== undefined) expect(await ip(netns, 'link', 'show', name)).toContain(`mtu ${mtuBytes} `)
  }
}

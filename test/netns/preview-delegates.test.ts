import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import { nodes, pods } from '../../src/kube/resources/core.ts'
import { type PodPreview, previewPod } from '../../src/preview/preview-pod.ts'
import { testDefinition, testPod } from '../support/agent.ts'
import { ip, ipJson } from '../support/netns.ts'
import { usePodSandbox } from './support/pod-sandbox.ts'

const sandbox = usePodSandbox()
afterEach(() => exec('ip', ['link', 'delete', 'br-preview'], { okCodes: [0, 1] }))

const ptp = { cniVersion: '1.0.0', name: 'first', type: 'ptp', mtu: 1380 }
const bridge = { cniVersion: '1.0.0', name: 'second', type: 'bridge', bridge: 'br-preview', isGateway: true }
const withDefault = { routes: [{ dst: '0.0.0.0/0' }] }

function hostLocal(subnet: string, more: object = {}): object {
  return { type: 'host-local', dataDir: join(sandbox.folder, 'ipam'), ranges: [[{ subnet }]], ...more }
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
  await sandbox.startAgent({
    pods: [testPod('web', JSON.stringify([wanted]))],
    definitions: [testDefinition('second', definition)],
  })
  const { kube } = sandbox
  const pod = await kube.get(pods, 'web', 'default')
  const sources = { kube, netConf, settings: {}, pod, nodes: [await kube.get(nodes, 'node')] }
  const [preview] = await previewPod(sources)
  const { json } = await sandbox.call('ADD', netConf)
  expect(json).toMatchObject({ ips: expect.any(Array) })
  await expectAsPreviewed(preview)
  expect(await sandbox.call('DEL', netConf)).toEqual({ code: 0, json: undefined })
})

async function expectAsPreviewed(preview: PodPreview | undefined): Promise<void> {
  const addresses = new Map<string, string>()
  for (const { ifname, addr_info } of await ipJson(sandbox.netns, '-4', 'address')) {
    addresses.set(String(ifname), (addr_info as { local: string }[])[0]?.local ?? '')
  }
  const decided = (lines: readonly string[] = []): string[] =>
    lines.map((line) => line.replace(/<(\w+)>/g, (_, name: string) => addresses.get(name) ?? 'none')).sort()
  const inKernel = async (...args: string[]): Promise<string[]> =>
    (await ip(sandbox.netns, ...args))
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
    if (mtuBytes !== undefined) expect(await ip(sandbox.netns, 'link', 'show', name)).toContain(`mtu ${mtuBytes} `)
  }
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { cidrContains, parseCidr } from '../../src/base/ip.ts'
import type { PodPreview } from '../../src/preview/preview-pod.ts'
import { articleFolder } from './support/article.ts'
import { type Lab, useLab } from './support/lab.ts'

const node = 'work01'
const podName = 'previewed'

/** Point 9 of "Attachments, complete": what the preview says is what the pod gets. */
describe('the preview of a pod', () => {
  let lab: Lab
  let preview: PodPreview
  let addresses: Record<string, string>

  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await copyNodeFiles(lab)
    preview = await previewOnNode(lab, manifest('10.144.0.1'))
    await lab.cli(['apply', '-f', '-'], { input: manifest('10.144.0.1') })
    await lab.cli(['wait', `pod/${podName}`, '--for=condition=Ready', '--timeout=60s'])
    addresses = await addressesOf(lab)
    return async () => {
      await lab.cli(['delete', 'pod', podName])
    }
  })

  const inPod = async (...command: string[]): Promise<string[]> =>
    (await lab.cli(['exec', podName, '--', ...command])).stdout
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' '))
      .filter((line) => line !== '')
  const decided = (lines: readonly string[]): string[] =>
    lines.map((line) => line.replace(/<(\w+)>/g, (_, name: string) => addresses[name] ?? 'none')).sort()

  it('names both interfaces, and the addresses come from the ranges that it names', () => {
    expect(preview.interfaces.map(({ name, network }) => [name, network])).toEqual([
      ['eth0', 'k8s-pod-network'],
      ['eth1', 'default/yusur-ovn'],
    ])
    for (const { name, ranges } of preview.interfaces) {
      const isInside = ranges.some((range) => cidrContains(parseCidr(range), addresses[name] ?? ''))
      expect(isInside, `${name} ${addresses[name]} in ${ranges.join()}`).toBe(true)
    }
  })

  it('has the routes of the main table', async () => {
    expect((await inPod('ip', 'route')).sort()).toEqual(decided(preview.routes))
  })

  it('has the rules and the routes of the other tables', async () => {
    const own = (await inPod('ip', 'rule')).filter((line) => /^1\d\d\d:/.test(line))
    expect(own.sort()).toEqual(decided(preview.rules))
    expect(Object.keys(preview.tables)).toEqual(['1000', '1001'])
    for (const [table, routes] of Object.entries(preview.tables)) {
      expect((await inPod('ip', 'route', 'show', 'table', table)).sort()).toEqual(decided(routes))
    }
  })

  it('has the MTU of every interface that it tells one for', async () => {
    const told = preview.interfaces.filter(({ mtuBytes }) => mtuBytes !== undefined)
    expect(told.map(({ name }) => name)).toContain('eth1')
    for (const { name, mtuBytes } of told) {
      expect((await inPod('ip', 'link', 'show', 'dev', name))[0]).toContain(`mtu ${mtuBytes} `)
    }
  })

  it('has the MAC that follows from the address', async () => {
    const address = addresses.eth1 ?? ''
    const hex = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))
    expect((await inPod('ip', 'link', 'show', 'dev', 'eth1')).join(' ')).toContain(`0a:58:${hex.join(':')}`)
    expect(preview.notes).toContain('the MAC of eth1 is 0a:58 and the four bytes of its address')
  })

  it('warns of a gateway that is not on the subnet of the node', async () => {
    const elsewhere = await previewOnNode(lab, manifest('10.99.0.1'))
    expect(elsewhere.warnings).toContainEqual(expect.stringContaining('default-route 10.99.0.1 is not on the subnet'))
  })

  it('ends with 1 and the error of the ADD when a network is missing', async () => {
    const { stderr } = await lab.cli(command(), { input: manifest('10.144.0.1', 'nowhere'), okCodes: [1] })
    expect(stderr).toContain('there is no NetworkAttachmentDefinition default/nowhere')
  })
})

/** Copies of the node's files: the command may run anywhere. */
const files = mkdtempSync(join(tmpdir(), 'preview-'))
const configFile = join(files, 'config.yaml')
const netConfFile = join(files, 'net.conf')
afterAll(() => rmSync(files, { recursive: true }))

async function copyNodeFiles(lab: Lab): Promise<void> {
  writeFileSync(configFile, (await lab.exec(node, ['cat', '/etc/twinlane/config.yaml'])).stdout)
  writeFileSync(netConfFile, (await lab.exec(node, ['cat', '/etc/cni/net.d/00-twinlane.conf'])).stdout)
}

function command(): string[] {
  const flags = ['--node', node, '-o', 'json', '--config', configFile, '--net-conf', netConfFile]
  return ['preview', 'pod', '-f', '-', ...flags]
}

async function previewOnNode(lab: Lab, input: string): Promise<PodPreview> {
  const { stdout } = await lab.cli(command(), { input })
  const [preview, ...others] = JSON.parse(stdout) as PodPreview[]
  if (preview === undefined || others.length > 0) throw new Error(`not one preview: ${stdout}`)
  return preview
}

function manifest(gateway: string, network = 'yusur-ovn'): string {
  const networks = JSON.stringify([{ name: network, interface: 'eth1', 'default-route': [gateway] }])
  return stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName, namespace: 'default', annotations: { 'k8s.v1.cni.cncf.io/networks': networks } },
    spec: { nodeName: node, containers: [{ name: 'main', image: 'busybox', command: ['sleep', '3600'] }] },
  })
}

async function addressesOf(lab: Lab): Promise<Record<string, string>> {
  const pod = await lab.json<{ metadata: { annotations: Record<string, string> } }>([
    'get',
    'pod',
    podName,
    '-o',
    'json',
  ])
  const status = JSON.parse(pod.metadata.annotations['k8s.v1.cni.cncf.io/network-status'] ?? '[]') as {
    interface: string
    ips: string[]
  }[]
  return Object.fromEntries(status.map((entry) => [entry.interface, entry.ips[0] ?? '']))
}

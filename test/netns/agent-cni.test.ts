import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { events, pods } from '../../src/kube/resources/core.ts'
import { testDefinition, testPod } from '../support/agent.ts'
import { childReady } from '../support/child-ready.ts'
import type { CniOutcome } from '../support/cni.ts'
import { ip, ipJson, makeNetns, removeNetns } from '../support/netns.ts'
import { usePodSandbox } from './support/pod-sandbox.ts'

const sandbox = usePodSandbox()

/** The article's shape with Debian's plugins: a point-to-point default network, and a bridge with two pod routes. */
function definitions() {
  return {
    ptp: { cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'ptp', ipam: ipam('10.244.1.0/24', ['0.0.0.0/0']) },
    bridge: {
      cniVersion: '0.4.0',
      name: 'second',
      type: 'bridge',
      bridge: 'br-second',
      isGateway: true,
      mtu: 1400,
      ipam: ipam('10.144.0.0/24', ['10.144.0.0/16', '10.96.0.0/16']),
    },
  }
}

function ipam(subnet: string, routes: string[]) {
  const gateway = subnet.replace(/\.0\/\d+$/, '.1')
  return {
    type: 'host-local',
    dataDir: join(sandbox.folder, 'ipam'),
    ranges: [[{ subnet, gateway }]],
    routes: routes.map((dst) => ({ dst, gw: gateway })),
  }
}

const annotation = `[{
  "name": "second", # the second network
  "interface": "eth1",
  "default-route": ["10.144.0.1"]
}]`

async function startAgent(pod = testPod('web', annotation), extra: [string, object | string][] = []): Promise<void> {
  const nads = [['second', definitions().bridge] as const, ...extra].map(([name, config]) =>
    testDefinition(name, config),
  )
  await sandbox.startAgent({ pods: [pod], definitions: nads })
}

function call(command: string, changes: { env?: Record<string, string>; config?: object } = {}): Promise<CniOutcome> {
  const config = { cniVersion: '1.0.0', name: 'multus-cni-network', type: 'twinlane', delegates: [definitions().ptp] }
  return sandbox.call(command, { ...config, ...changes.config }, changes.env)
}

async function nodeVeths(): Promise<unknown[]> {
  return (await ipJson('/proc/self/ns/net', 'link', 'show', 'type', 'veth')).map((link) => link.ifname)
}

async function expectNothingLeft(): Promise<void> {
  expect(await sandbox.leases()).toEqual([])
  expect(await nodeVeths()).toEqual([])
  expect(await sandbox.records()).toEqual([])
}

async function eventLines(): Promise<string[]> {
  const { items } = await sandbox.kube.list(events)
  return items.map((item) => `${item.type} ${item.reason} ${item.message}`)
}

describe('a pod with two networks', () => {
  test('gets both, with the routes of the article and rules for replies', async () => {
    await startAgent()
    const { code, json } = await call('ADD')
    expect(json).toMatchObject({ cniVersion: '1.0.0', ips: [{ address: '10.244.1.2/24', gateway: '10.244.1.1' }] })
    expect(code).toBe(0)
    expect(await sandbox.interfaces()).toEqual(['eth0', 'eth1'])
    const routes = (await ip(sandbox.netns, 'route')).split('\n').map((line) => line.trim())
    expect(routes.slice(0, 4)).toEqual([
      'default via 10.144.0.1 dev eth1',
      '10.96.0.0/16 via 10.144.0.1 dev eth1',
      '10.144.0.0/24 dev eth1 proto kernel scope link src 10.144.0.2',
      '10.144.0.0/16 via 10.144.0.1 dev eth1',
    ])
    expect(routes.filter((line) => line.startsWith('default'))).toHaveLength(1)
    expect(await ip(sandbox.netns, 'route', 'get', '203.0.113.1', 'from', '10.244.1.2')).toContain(
      'via 10.244.1.1 dev eth0',
    )
    expect(await ip(sandbox.netns, 'route', 'get', '203.0.113.1', 'from', '10.144.0.2')).toContain(
      'via 10.144.0.1 dev eth1',
    )
    expect(await ip(sandbox.netns, 'route', 'get', '203.0.113.1')).toContain('dev eth1')
    expect(JSON.stringify(json)).not.toContain('"0.0.0.0/0"')
  })

  test('has network-status and the events that users know, with a warning about the comment', async () => {
    await startAgent()
    await call('ADD')
    await expect
      .poll(
        async () =>
          (await sandbox.kube.get(pods, 'web', 'default')).metadata.annotations?.['k8s.v1.cni.cncf.io/network-status'],
      )
      .toBeDefined()
    const { annotations } = (await sandbox.kube.get(pods, 'web', 'default')).metadata
    expect(JSON.parse(annotations?.['k8s.v1.cni.cncf.io/network-status'] ?? '')).toMatchObject([
      { name: 'k8s-pod-network', interface: 'eth0', ips: ['10.244.1.2'], default: true, dns: {} },
      { name: 'default/second', interface: 'eth1', ips: ['10.144.0.2'], gateway: ['10.144.0.1'], dns: {} },
    ])
    await expect.poll(eventLines).toContain('Normal AddedInterface Add eth1 [10.144.0.2/24] from default/second')
    const lines = await eventLines()
    expect(lines).toContain('Normal AddedInterface Add eth0 [10.244.1.2/24] from k8s-pod-network')
    expect(lines.find((line) => line.startsWith('Warning NonStandardNetworks'))).toContain('"#" comment on line 2')
  })

  test('is as it should be until something is taken away', async () => {
    await startAgent()
    await call('ADD')
    expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
    await ip(sandbox.netns, 'route', 'delete', 'default')
    expect((await call('CHECK')).json).toMatchObject({ code: 999 })
    expect((await call('CHECK')).json?.msg).toContain('the route 0.0.0.0/0 via 10.144.0.1 dev eth1 is missing')
    await ip(sandbox.netns, 'link', 'delete', 'eth1')
    expect((await call('CHECK')).json?.msg).toContain('network "default/second" (eth1)')
  })

  test('is removed by DEL with the API server, the pod and the namespace gone, and again without harm', async () => {
    await startAgent()
    await call('ADD')
    expect(await sandbox.leases()).toHaveLength(2)
    await sandbox.kube.delete(pods, 'web', { namespace: 'default' })
    sandbox.kube.intercept(() => {
      throw new Error('the API server is down')
    })
    await removeNetns(sandbox.netns)
    expect(await call('DEL', { env: { CNI_NETNS: '' } })).toEqual({ code: 0, json: undefined })
    await expectNothingLeft()
    expect(await call('DEL', { env: { CNI_NETNS: '' } })).toEqual({ code: 0, json: undefined })
    sandbox.kube.intercept(undefined)
  })
})

describe('a pod that cannot have what it asks for does not start, and nothing is left:', () => {
  const cases: [string, string, string][] = [
    ['an unknown network', 'nothing', 'no NetworkAttachmentDefinition default/nothing'],
    ['an unknown type', 'odd', 'CNI type "odd-plugin"'],
    ['an exhausted pool', 'full', 'network "default/full" (net1): plugin "bridge" failed ADD'],
    ['broken JSON', '[{"name":"second",}]', 'line 1, column 18'],
    ['a name that is too long', 'second@abcdefghijklmnop', '16 bytes'],
    ['the default interface', 'second@eth0', 'belongs to the default network'],
  ]
  test.each(cases)('%s', async (_, networks, message) => {
    const one = { subnet: '10.9.0.0/30', rangeStart: '10.9.0.1', rangeEnd: '10.9.0.1', gateway: '10.9.0.1' }
    const full = { ...definitions().bridge, ipam: { ...ipam('10.9.0.0/30', []), ranges: [[one]] } }
    await startAgent(testPod('web', networks), [
      ['odd', { cniVersion: '1.0.0', type: 'odd-plugin' }],
      ['full', full],
    ])
    const { code, json } = await call('ADD')
    expect(code).toBe(1)
    expect(json?.cniVersion).toBe('1.0.0')
    expect(json?.msg).toContain(message)
    expect(await sandbox.interfaces()).toEqual([])
    await expectNothingLeft()
    await expect.poll(async () => (await eventLines()).some((line) => line.startsWith('Warning'))).toBe(true)
  })

  test('a pod of the same name but another UID', async () => {
    await startAgent()
    const args = 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_UID=other'
    const { json } = await call('ADD', { env: { CNI_ARGS: args } })
    expect(json).toMatchObject({ code: 11 })
    expect(json?.msg).toMatch(/has the UID [-0-9a-f]{36}, but the runtime asks for other/)
  })

  test("the node's own namespace", async () => {
    await startAgent()
    expect((await call('ADD', { env: { CNI_NETNS: '/proc/self/ns/net' } })).json).toMatchObject({ code: 4 })
    expect((await call('ADD', { env: { CNI_NETNS: '/run/netns/none' } })).json).toMatchObject({ code: 3 })
  })
})

describe('the agent', () => {
  test('installs its executable under the names of the roles, and never over another vendor’s', async () => {
    await import('node:fs/promises').then((fs) => fs.mkdir(join(sandbox.folder, 'bin')))
    await writeFile(join(sandbox.folder, 'bin/calico'), '#!/bin/sh\n')
    await startAgent()
    expect((await readdir(join(sandbox.folder, 'bin'))).sort()).toEqual([
      'calico',
      'calico-ipam',
      'multus',
      'multus-shim',
      'ovn-k8s-cni-overlay',
      'twinlane',
      'twinlane-ipam',
    ])
    expect(await readFile(join(sandbox.folder, 'bin/calico'), 'utf8')).toBe('#!/bin/sh\n')
    expect(JSON.parse(await readFile(join(sandbox.folder, 'net.d/00-twinlane.conf'), 'utf8'))).toEqual({
      cniVersion: '1.0.0',
      name: 'multus-cni-network',
      type: 'twinlane',
      delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
    })
  })

  test('reports a record that cannot be read and never calls that success', async () => {
    await startAgent()
    await call('ADD')
    await writeFile(join(sandbox.folder, 'state/attachments/c1@eth0.json'), '{"version":1')
    const { code, json } = await call('DEL')
    expect(code).toBe(1)
    expect(json?.msg).toContain('c1@eth0.json cannot be read')
  })

  test('collects what belongs to no valid attachment, and nothing else', async () => {
    await startAgent()
    await call('ADD')
    const config = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }
    expect(await call('GC', { config })).toEqual({ code: 0, json: undefined })
    expect(await sandbox.leases()).toHaveLength(2)
    expect((await call('GC', { config: { ...config, 'cni.dev/valid-attachments': [] } })).code).toBe(0)
    await expectNothingLeft()
  })

  test('answers STATUS and VERSION', async () => {
    await startAgent()
    expect(await call('STATUS', { config: { cniVersion: '1.1.0' } })).toEqual({ code: 0, json: undefined })
    expect((await call('VERSION')).json?.supportedVersions).toContain('1.1.0')
    const delegates = [{ cniVersion: '1.0.0', name: 'x', type: 'none' }]
    expect((await call('STATUS', { config: { cniVersion: '1.1.0', delegates } })).json?.msg).toContain(
      'no CNI plugin "none"',
    )
  })

  test('attaches twenty pods at once', async () => {
    await startAgent(testPod('web'))
    const spaces = await Promise.all(Array.from({ length: 20 }, () => makeNetns()))
    const env = (index: number) => ({ CNI_CONTAINERID: `c${index}`, CNI_NETNS: spaces[index] ?? '' })
    const added = await Promise.all(spaces.map((_, index) => call('ADD', { env: env(index) })))
    expect(added.map((outcome) => outcome.code)).toEqual(spaces.map(() => 0))
    expect(await sandbox.leases()).toHaveLength(20)
    const deleted = await Promise.all(spaces.map((_, index) => call('DEL', { env: env(index) })))
    expect(deleted.map((outcome) => outcome.code)).toEqual(spaces.map(() => 0))
    await expectNothingLeft()
    await Promise.all(spaces.map(removeNetns))
  })
})

describe('after kill -9', () => {
  async function startProcess(networks: string) {
    const objects = {
      pods: [['web', networks]],
      definitions: [
        ['slow', { cniVersion: '1.0.0', type: 'slow' }],
        ['second', definitions().bridge],
      ],
    }
    const args = [
      '--import',
      'tsx',
      'test/support/agent-process.ts',
      sandbox.folder,
      sandbox.shim,
      JSON.stringify(objects),
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await childReady(child, 'the agent')
    return child
  }

  async function kill(child: Awaited<ReturnType<typeof startProcess>>): Promise<void> {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  test('in the middle of an ADD, the runtime is told to try again and the next agent takes everything back', async () => {
    const first = await startProcess('slow')
    const began = join(sandbox.folder, 'began')
    const script = `#!/bin/sh\n[ "$CNI_COMMAND" = ADD ] && { touch ${began}; exec sleep 5; }\nexit 0\n`
    await writeFile(join(sandbox.folder, 'bin/slow'), script)
    await chmod(join(sandbox.folder, 'bin/slow'), 0o755)
    const answer = call('ADD')
    await expect.poll(() => existsSync(began), { timeout: 5000 }).toBe(true)
    expect(await sandbox.leases()).toHaveLength(1)
    await kill(first)
    expect((await answer).json).toMatchObject({ code: 11 })
    expect((await call('DEL')).json).toMatchObject({ code: 11 })
    await kill(await startProcess('slow'))
    expect(await sandbox.interfaces()).toEqual([])
    await expectNothingLeft()
  })

  test('after an ADD, the next agent still knows the pod', async () => {
    await kill(
      await startProcess('second@eth1').then(async (child) => {
        expect((await call('ADD')).code).toBe(0)
        return child
      }),
    )
    const second = await startProcess('second@eth1')
    expect(await call('CHECK')).toEqual({ code: 0, json: undefined })
    const again = await call('DEL')
    expect(again).toEqual({ code: 0, json: undefined })
    await expectNothingLeft()
    await kill(second)
  })
})

import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, sleepingPod } from './support/article.ts'
import { eventsOf } from './support/events.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 2, "Bad input": each gives one clear error that names the thing and the fix, and leaves nothing behind. */
describe('a pod whose networks cannot be had', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
    await lab.cli(['apply', '-f', '-'], {
      input: nad('no-such-plugin', '{"cniVersion":"0.4.0","type":"no-such-plugin"}'),
    })
    await lab.cli(['apply', '-f', '-'], { input: nad('broken-config', '{"cniVersion":"0.4.0",') })
  })
  afterEach(async () => {
    await lab.cli(['delete', 'pod', 'refused', '--ignore-not-found'])
  })

  it.each([
    ['broken JSON', '[{"name": "yusur-ovn" "interface": "eth1"}]', /line 1.*column 2\d/],
    [
      'an interface name of more than 15 characters',
      '[{"name": "yusur-ovn", "interface": "sixteen-letters0"}]',
      /sixteen-letters0.*15/,
    ],
    ['the name of the default interface', '[{"name": "yusur-ovn", "interface": "eth0"}]', /eth0/],
    ['an unknown network', '[{"name": "no-such-network", "interface": "eth1"}]', /default\/no-such-network/],
    ['an unknown CNI type', '[{"name": "no-such-plugin", "interface": "eth1"}]', /no-such-plugin/],
    ['a NAD whose config is not JSON', '[{"name": "broken-config", "interface": "eth1"}]', /broken-config/],
    [
      'an address that is none',
      '[{"name": "yusur-ovn", "interface": "eth1", "default-route": ["10.144.0"]}]',
      /10\.144\.0/,
    ],
  ])('because of %s never starts, and says why', async (_what, networks, message) => {
    const before = await leftovers(lab)
    await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name: 'refused', node: 'work01', networks }) })
    await eventually(async () => {
      const warnings = (await eventsOf(lab, 'refused')).filter((event) =>
        event.startsWith('Warning FailedCreatePodSandBox'),
      )
      expect(warnings).toContainEqual(expect.stringMatching(message))
    })
    const pod = await lab.json<{
      status: { phase: string; podIP?: string; containerStatuses?: { state: { running?: object } }[] }
    }>(['get', 'pod', 'refused', '-o', 'json'])
    expect(pod.status.phase).toBe('Pending')
    expect(pod.status.containerStatuses?.some((status) => status.state.running !== undefined) ?? false).toBe(false)
    await lab.cli(['delete', 'pod', 'refused'])
    await eventually(async () => expect(await leftovers(lab)).toEqual(before))
  })

  it('a deleted NAD is missed by name when a pod asks for it, with an event as Multus writes it', async () => {
    await lab.cli(['apply', '-f', '-'], {
      input: sleepingPod({ name: 'refused', node: 'work01', networks: 'gone-network@eth1' }),
    })
    await eventually(async () => {
      expect(await eventsOf(lab, 'refused')).toContainEqual(
        expect.stringMatching(/^Warning NoNetworkFound .*gone-network/),
      )
    })
  })
})

describe('an exhausted address pool', () => {
  it('is named in the error with the fix, and the pod starts once there is an address again', async () => {
    const lab = await useLab({ fresh: true, config: { routed: { ipPoolCidr: '10.244.0.0/30', blockSize: 32 } } })
    for (const name of ['one', 'two', 'three', 'four']) {
      await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name, node: 'work01' }) })
      await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
    }
    await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name: 'five', node: 'work01' }) })
    await eventually(async () => {
      const warnings = (await eventsOf(lab, 'five')).filter((event) =>
        event.startsWith('Warning FailedCreatePodSandBox'),
      )
      expect(warnings).toContainEqual(expect.stringMatching(/10\.244\.0\.0\/30/))
    })
    await lab.cli(['delete', 'pod', 'one'])
    await lab.cli(['wait', 'pod/five', '--for=condition=Ready', '--timeout=90s'])
  })
})

function nad(name: string, config: string): string {
  return JSON.stringify({
    apiVersion: 'k8s.cni.cncf.io/v1',
    kind: 'NetworkAttachmentDefinition',
    metadata: { name, namespace: 'default' },
    spec: { config },
  })
}

/** What a failed attachment could leave on the node and in the databases. */
async function leftovers(lab: Lab): Promise<unknown> {
  const out = async (node: string, command: string[]): Promise<string> => (await lab.exec(node, command)).stdout
  const handles = await lab.json<{ items: { metadata: { name: string } }[] }>(['get', 'ipamhandles', '-o', 'json'])
  return {
    links: (JSON.parse(await out('work01', ['ip', '-j', 'link', 'show', 'type', 'veth'])) as { ifname: string }[])
      .map((link) => link.ifname)
      .sort(),
    ports: (await out('work01', ['ovs-vsctl', 'list-ports', 'br-int'])).split('\n').sort(),
    logicalPorts: (await out('master01', ['ovn-nbctl', '--bare', '--columns=name', 'list', 'Logical_Switch_Port']))
      .split('\n')
      .sort(),
    handles: handles.items.map((handle) => handle.metadata.name).sort(),
    records: (await out('work01', ['sh', '-c', 'ls /var/lib/twinlane/attachments'])).split('\n').sort(),
    namespaces: (await out('work01', ['sh', '-c', 'ls /run/netns'])).split('\n').sort(),
  }
}

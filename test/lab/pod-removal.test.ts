import { beforeAll, describe, expect, it } from 'vitest'
import { articleFolder, eth1WithDefaultRoute, sleepingPod } from './support/article.ts'
import { eventually } from './support/eventually.ts'
import { type Lab, useLab } from './support/lab.ts'

/** Issue 2, point 8: what a pod leaves behind when it is deleted: nothing. */
describe('deleting a pod', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await useLab()
    await lab.cli(['apply', '-f', `${articleFolder}yusur-ovn.yaml`])
  })

  it('removes its veths, OVS ports, logical port, addresses, records and namespaces', async () => {
    const before = await traces(lab)
    await lab.cli(['apply', '-f', '-'], {
      input: sleepingPod({ name: 'short-lived', node: 'work02', networks: eth1WithDefaultRoute }),
    })
    await lab.cli(['wait', 'pod/short-lived', '--for=condition=Ready', '--timeout=60s'])
    const during = await traces(lab)
    for (const kind of Object.keys(before) as (keyof Traces)[]) {
      expect(during[kind].length, `a running pod shows in ${kind}`).toBeGreaterThan(before[kind].length)
    }
    await lab.cli(['delete', 'pod', 'short-lived'])
    await eventually(async () => expect(await traces(lab)).toEqual(before))
  })

  it('frees both addresses for later pods, and does not give them out again at once', async () => {
    const addresses: string[] = []
    for (const name of ['first', 'second', 'third']) {
      await lab.cli(['apply', '-f', '-'], {
        input: sleepingPod({ name, node: 'work02', networks: eth1WithDefaultRoute }),
      })
      await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
      const pod = await lab.json<{ status: { podIP: string } }>(['get', 'pod', name, '-o', 'json'])
      addresses.push(pod.status.podIP)
      await lab.cli(['delete', 'pod', name])
    }
    expect(new Set(addresses).size).toBe(3)
  })

  it('leaves a pod of the same name that comes right after it alone', async () => {
    for (let round = 0; round < 3; round++) {
      const manifest = sleepingPod({ name: 'again', node: 'work02', networks: eth1WithDefaultRoute })
      await lab.cli(['apply', '-f', '-'], { input: manifest })
      await lab.cli(['wait', 'pod/again', '--for=condition=Ready', '--timeout=60s'])
      const { stdout } = await lab.cli(['exec', 'again', '--', 'ping', '-c', '2', '-W', '2', '203.0.113.1'])
      expect(stdout).toMatch(/[12] packets received/)
      await lab.cli(['delete', 'pod', 'again'])
    }
  })
})

interface Traces {
  links: string[]
  ovsPorts: string[]
  logicalPorts: string[]
  ovnAddresses: string[]
  handles: string[]
  records: string[]
  namespaces: string[]
}

/** Everything that a pod on work02 is known to make, read by programs that are not ours where there are any. */
async function traces(lab: Lab): Promise<Traces> {
  const lines = async (node: string, command: string[]): Promise<string[]> =>
    (await lab.exec(node, command)).stdout
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .sort()
  const links = JSON.parse((await lab.exec('work02', ['ip', '-j', 'link', 'show', 'type', 'veth'])).stdout) as {
    ifname: string
  }[]
  const handles = await lab.json<{ items: { metadata: { name: string } }[] }>(['get', 'ipamhandles', '-o', 'json'])
  return {
    links: links.map((link) => link.ifname).sort(),
    ovsPorts: await lines('work02', ['ovs-vsctl', 'list-ports', 'br-int']),
    logicalPorts: await lines('master01', ['ovn-nbctl', '--bare', '--columns=name', 'list', 'Logical_Switch_Port']),
    ovnAddresses: await lines('master01', [
      'ovn-nbctl',
      '--bare',
      '--columns=addresses',
      'list',
      'Logical_Switch_Port',
    ]),
    handles: handles.items.map((handle) => handle.metadata.name).sort(),
    records: await lines('work02', ['sh', '-c', 'ls /var/lib/twinlane/attachments']),
    namespaces: await lines('work02', ['sh', '-c', 'ls /run/netns']),
  }
}

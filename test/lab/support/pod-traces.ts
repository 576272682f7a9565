import type { Lab } from './lab.ts'

/** What pods are known to make on work02, and for them on master01. */
export interface PodTraces {
  links: string[]
  ovsPorts: string[]
  logicalPorts: string[]
  ovnAddresses: string[]
  handles: string[]
  records: string[]
  namespaces: string[]
}

/** Everything that a pod on work02 is known to make, read by programs that are not ours where there are any. */
export async function podTraces(lab: Lab): Promise<PodTraces> {
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

import { sleepingPod } from './article.ts'
import type { Lab } from './lab.ts'

/** The routed network as a default network. */
export const routed = {
  cniVersion: '1.0.0',
  name: 'k8s-pod-network',
  type: 'calico',
  ipam: { type: 'calico-ipam' },
} as const

/** A second attachment to it, of a name of its own. */
export const secondRouted = { ...routed, name: 'second-routed' } as const

/** A network of another vendor's plugin. */
export const bridge = {
  cniVersion: '1.0.0',
  name: 'plain-bridge',
  type: 'bridge',
  bridge: 'br-plain',
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/24' }]] },
} as const

export const ovn = { cniVersion: '1.0.0', name: 'second', type: 'ovn-k8s-cni-overlay' } as const

/** A meta-plugin's configuration, as a file of net.d has it. */
export function metaConf(...delegates: object[]): {
  cniVersion: string
  name: string
  type: string
  delegates: object[]
} {
  return { cniVersion: '1.0.0', name: 'container-networks', type: 'twinlane', delegates }
}

/** Puts a root file system and the reference plugins on a node; resolves with the path of the former. */
export async function prepareNode(lab: Lab, node: string): Promise<string> {
  const root = '/opt/busybox-root'
  const script = [
    'cp /usr/lib/cni/bridge /usr/lib/cni/host-local /opt/cni/bin/',
    `mkdir -p ${root}/bin`,
    `cp /bin/busybox ${root}/bin/`,
    `for tool in sh sleep ping ip; do ln -sf busybox ${root}/bin/$tool; done`,
  ]
  await lab.exec(node, ['sh', '-ec', script.join('\n')])
  return root
}

/** A pod on another node; resolves with its address. */
export async function startFarPod(lab: Lab, name: string, node: string): Promise<string> {
  await lab.cli(['apply', '-f', '-'], { input: sleepingPod({ name, node }) })
  await lab.cli(['wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s'])
  return (await lab.json<{ status: { podIP: string } }>(['get', 'pod', name, '-o', 'json'])).status.podIP
}

/** What the containers of a node are known to make, for a comparison of before and after. */
export async function tracesOf(lab: Lab, node: string): Promise<Record<string, string>> {
  const script = [
    'ip -o link show type veth | cut -d: -f2 | sort',
    'ls /var/lib/twinlane/attachments',
    'ip route show proto boot | sort',
    'ls /var/lib/cni/networks/* 2>/dev/null | grep "^10" || true',
  ]
  const traces: Record<string, string> = {}
  for (const line of script) traces[line] = (await lab.exec(node, ['sh', '-c', line])).stdout
  const { items } = await lab.json<{ items: { metadata: { name: string } }[] }>(['get', 'ipamhandles', '-o', 'json'])
  return {
    ...traces,
    handles: items
      .map(({ metadata }) => metadata.name)
      .sort()
      .join('\n'),
  }
}

import { parseInterfaceAddress } from '../../../base/ip.ts'
import type { CniResult } from '../../../cni/result.ts'
import type { AttachmentRef, Problem } from '../../driver.ts'
import type { NodeContext } from './context.ts'
import { isInstalled, podPortNames } from './pod-port.ts'

/** CHECK: the pod's interface, its addresses, the switch's port, and OVN's flows. */
export async function verifyPod(context: NodeContext, ref: AttachmentRef, result: CniResult): Promise<Problem[]> {
  return [...verifySwitch(context, ref), ...(await verifyNetns(context, ref, result))]
}

function verifySwitch({ local }: NodeContext, ref: AttachmentRef): Problem[] {
  const [name] = podPortNames(local, ref)
  if (name === undefined) return [{ what: `Open vSwitch has no port of ${ref.ifName}`, fix: 'start the pod again' }]
  const error = local.interface(name)?.error
  if (error !== undefined) return [{ what: `Open vSwitch cannot use ${name}: ${error}` }]
  if (isInstalled(local, name)) return []
  return [{ what: `OVN has not installed the flows of ${ref.ifName}`, fix: 'look at ovn-controller on this node' }]
}

async function verifyNetns({ kernel }: NodeContext, ref: AttachmentRef, result: CniResult): Promise<Problem[]> {
  if (ref.netns === undefined) return []
  const link = await kernel.findLink(ref.netns, ref.ifName)
  if (link === undefined) return [{ what: `the pod has no interface ${ref.ifName}`, fix: 'start the pod again' }]
  const present = (await kernel.addresses(ref.netns, ref.ifName)).map(({ address }) => address)
  const missing = result.ips.filter(({ address }) => !present.includes(parseInterfaceAddress(address).address))
  return [
    ...(link.isUp ? [] : [{ what: `${ref.ifName} is down` }]),
    ...missing.map(({ address }) => ({ what: `${ref.ifName} has lost its address ${address}` })),
  ]
}

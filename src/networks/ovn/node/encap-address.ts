import { ConfigError } from '../../../base/errors.ts'
import type { NodeContext } from './context.ts'

/**
 * The userspace datapath hands a tunnel's packets to the bridge that has the tunnel's own address; with an address
 * elsewhere they vanish without a word. Throws ConfigError.
 */
export async function requireOnBridge({ kernel, local }: NodeContext, address: string): Promise<void> {
  if (local.datapathType !== 'netdev') return
  const [links, addresses] = await Promise.all([kernel.links(undefined), kernel.addresses(undefined)])
  const index = addresses.find((each) => each.address === address)?.linkIndex
  const device = links.find((link) => link.index === index)?.name
  if (device !== undefined && local.bridge(device) !== undefined) return
  const place =
    device === undefined ? 'is no address of this node' : `is on no bridge of Open vSwitch, but on ${device}`
  throw new ConfigError('networks.ovn.encapIp', `${address} ${place}`, {
    fix: 'With the userspace datapath use an address of the gateway interface, or leave encapIp out.',
  })
}

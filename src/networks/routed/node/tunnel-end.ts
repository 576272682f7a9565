import { type Family, hostPrefixOf } from '../../../base/ip.ts'
import { KernelError, type Operation } from '../../../kernel/kernel.ts'
import { nodes } from '../../../kube/resources/core.ts'
import { addressesOf } from '../ipam/block.ts'
import { poolOf, selectTunnelPools } from '../ipam/pools.ts'
import { releaseOwn } from '../ipam/release.ts'
import {
  type Encapsulation,
  encapsulationOf,
  overheadBytes,
  tunnelDevices,
  tunnelFamilies,
} from '../tunnels/encapsulation.ts'
import { endAnnotations, vxlanMac } from '../tunnels/tunnel-node.ts'
import type { NodeContext } from './context.ts'
import { UnsupportedEncapsulationError } from './unsupported-encapsulation.ts'

/** VXLAN as Calico has it by default: one cluster with several implementations needs one number. */
const vxlanId = 4096
const vxlanPort = 4789
const usualNicMtuBytes = 1500

/** Calico's names, so that its tools know what the address is for. */
const calicoNames: Readonly<Record<Encapsulation, { handle: string; type: string }>> = {
  vxlan: { handle: 'vxlan-tunnel-addr', type: 'vxlanTunnelAddress' },
  vxlan6: { handle: 'vxlan-v6-tunnel-addr', type: 'vxlanV6TunnelAddress' },
  ipip: { handle: 'ipip-tunnel-addr', type: 'ipipTunnelAddress' },
}

export function tunnelHandle(kind: Encapsulation, nodeName: string): string {
  return `${calicoNames[kind].handle}-${nodeName}`
}

/** This node's end of all tunnels of one kind: an address of the pools, a device, and the annotations that say so. */
export class TunnelEnd {
  readonly #context: NodeContext
  readonly #kind: Encapsulation
  readonly #handleId: string

  constructor(context: NodeContext, kind: Encapsulation) {
    this.#context = context
    this.#kind = kind
    this.#handleId = tunnelHandle(kind, context.deps.nodeName)
  }

  get device(): string {
    return tunnelDevices[this.#kind]
  }

  get #family(): Family {
    return tunnelFamilies[this.#kind]
  }

  get #isVxlan(): boolean {
    return this.#kind !== 'ipip'
  }

  /** Others hear of it when it can receive, not before. Throws IpamError, UnsupportedEncapsulationError. */
  async ensure(local: { address: string; nicMtuBytes: number | undefined }): Promise<void> {
    const { kernel } = this.#context.deps
    const mtuBytes = (local.nicMtuBytes ?? usualNicMtuBytes) - overheadBytes[this.#kind]
    // First the device: an address for a tunnel that this kernel cannot make would be lost.
    await this.#refuseUnsupported(kernel.apply(undefined, [this.#deviceOperation(local.address, mtuBytes)]))
    const address = await this.#ensureAddress()
    await kernel.apply(undefined, [...this.#settings(), ...(await this.#strangers(address))])
    await kernel.apply(undefined, [{ op: 'ensureAddress', device: this.device, address: hostPrefixOf(address) }])
    await this.#annotate(address)
  }

  /** Whether anything is left of an end that nobody needs any more. */
  async exists(): Promise<boolean> {
    if (this.#annotated() || this.#held().length > 0) return true
    const link = await this.#context.deps.kernel.findLink(undefined, this.device)
    // tunl0 stays for as long as the kernel has its module; down it is as good as gone.
    return link !== undefined && (this.#isVxlan || link.isUp)
  }

  /** Others stop sending, then the device goes, then its address is free for others. */
  async remove(): Promise<void> {
    await this.#annotate(undefined)
    await this.#context.deps.kernel.apply(undefined, await this.#removal())
    await releaseOwn(this.#context, this.#handleId)
  }

  async #removal(): Promise<Operation[]> {
    const { kernel } = this.#context.deps
    const link = await kernel.findLink(undefined, this.device)
    if (link?.kind !== (this.#isVxlan ? 'vxlan' : this.#kind)) return []
    if (this.#isVxlan) return [{ op: 'deleteLink', name: this.device }]
    const strangers = await this.#strangers(undefined)
    return [...strangers, { op: 'setLink', name: this.device, isUp: false }]
  }

  /** An address of a pool that is no longer one of this tunnel's is given back first. */
  async #ensureAddress(): Promise<string> {
    const { deps, pools, assigner } = this.#context
    const ours = pools.list().filter((pool) => encapsulationOf(pool)?.encapsulation === this.#kind)
    const held = this.#held()
    const isRight = held.length > 0 && held.every((address) => poolOf(ours, address) !== undefined)
    if (held.length > 0 && !isRight) await releaseOwn(this.#context, this.#handleId)
    const nodeLabels = deps.nodes.get(deps.nodeName)?.metadata.labels ?? {}
    const family = this.#family
    // What is held is kept, also when its pool gives out no more.
    const candidates = isRight ? ours : selectTunnelPools(ours, { family, nodeLabels })
    const secondary = { node: deps.nodeName, type: calicoNames[this.#kind].type }
    return await assigner.assign({ family, holder: { handleId: this.#handleId, secondary }, pools: candidates })
  }

  #held(): string[] {
    return this.#context.store.view.list().flatMap((block) => addressesOf(block, this.#handleId))
  }

  #deviceOperation(local: string, mtuBytes: number): Operation {
    const name = this.device
    if (!this.#isVxlan) return { op: 'ensureIpip', name, mtuBytes, isUp: true }
    const mac = vxlanMac(this.#context.deps.nodeName, this.#family)
    return { op: 'ensureVxlan', name, id: vxlanId, port: vxlanPort, local, mac, mtuBytes, isUp: true }
  }

  /** Loose: while nodes change over, the way there may be another than the way back. IPv6 has no such check. */
  #settings(): Operation[] {
    const six = `net/ipv6/conf/${this.device}`
    if (this.#family === 6) {
      return [
        { op: 'sysctl', key: `${six}/disable_ipv6`, value: '0' },
        { op: 'sysctl', key: `${six}/accept_ra`, value: '0' },
        { op: 'sysctl', key: `${six}/forwarding`, value: '1' },
      ]
    }
    return [{ op: 'sysctl', key: `net/ipv4/conf/${this.device}/rp_filter`, value: '2' }]
  }

  /** Other addresses on the device: of an earlier pool, or of an earlier owner of the device. */
  async #strangers(own: string | undefined): Promise<Operation[]> {
    const found = await this.#context.deps.kernel.addresses(undefined, this.device)
    return found
      .filter(({ family, address }) => family === this.#family && address !== own && !address.startsWith('fe80:'))
      .map(({ address, prefixLength }) => ({
        op: 'deleteAddress',
        device: this.device,
        address: `${address}/${prefixLength}`,
      }))
  }

  #annotated(): boolean {
    return Object.keys(this.#annotations(undefined)).some((key) => this.#stored()[key] !== undefined)
  }

  async #annotate(address: string | undefined): Promise<void> {
    const annotations = this.#annotations(address)
    const stored = this.#stored()
    if (Object.entries(annotations).every(([key, value]) => (stored[key] ?? null) === value)) return
    const { kube, nodeName } = this.#context.deps
    await kube.patch(nodes, nodeName, { type: 'merge', body: { metadata: { annotations } } })
  }

  #annotations(address: string | undefined): Record<string, string | null> {
    const names = endAnnotations[this.#kind]
    const mac = vxlanMac(this.#context.deps.nodeName, this.#family)
    return {
      [names.address]: address ?? null,
      ...(names.mac === undefined ? {} : { [names.mac]: address === undefined ? null : mac }),
    }
  }

  #stored(): Record<string, string> {
    return this.#context.deps.nodes.get(this.#context.deps.nodeName)?.metadata.annotations ?? {}
  }

  async #refuseUnsupported(task: Promise<void>): Promise<void> {
    try {
      await task
    } catch (error) {
      if (!(error instanceof KernelError) || !['EOPNOTSUPP', 'ENOTSUPP'].includes(error.code)) throw error
      throw new UnsupportedEncapsulationError(this.#kind, error)
    }
  }
}

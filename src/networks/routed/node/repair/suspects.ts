import { familyOf, hostPrefixOf } from '../../../../base/ip.ts'
import type { Address, DeviceSettings, KernelEvent, Link, Route } from '../../../../kernel/kernel.ts'
import { hostMac, type LinkOwner, parseAlias, podGateways } from '../names.ts'

/**
 * Which host ends somebody else may have changed, from the kernel's events alone. The events of our own work say in
 * the end what is right, so an ADD leaves no suspicion behind, and a look at the kernel costs it nothing. Interfaces
 * without an owner in their alias are not finished yet, or not ours.
 */
export class Suspects {
  readonly #owners = new Map<string, LinkOwner>()
  readonly #names = new Map<number, string>()
  readonly #suspicions = new Map<string, Set<string>>()

  /** The device that somebody has to look at, if so. */
  note(event: KernelEvent): string | undefined {
    return this.#isSuspicious(event) ? this.#deviceOf(event) : undefined
  }

  #deviceOf({ kind, object }: KernelEvent): string | undefined {
    if (kind === 'link') return object.name
    if (kind === 'address') return this.#names.get(object.linkIndex)
    return 'device' in object ? object.device : undefined
  }

  #isSuspicious(event: KernelEvent): boolean {
    switch (event.kind) {
      case 'link':
        return this.#noteLink(event.object, event.action)
      case 'route':
        return this.#noteRoute(event.object, event.action)
      case 'settings':
        return this.#noteSettings(event.object)
      case 'address':
        return this.#noteAddress(event.object, event.action)
      default:
        return false
    }
  }

  /** One that is known from a listing, or that has to be looked at whatever the events say. */
  add(name: string): void {
    this.#suspicions.set(name, new Set(['link', ...(this.#suspicions.get(name) ?? [])]))
  }

  has(name: string): boolean {
    return this.#suspicions.has(name)
  }

  /** Somebody looks now. */
  clear(name: string): void {
    this.#suspicions.delete(name)
  }

  #noteLink(link: Link, action: KernelEvent['action']): boolean {
    const owner = parseAlias(link.alias)
    if (action === 'delete') {
      this.#owners.delete(link.name)
      this.#names.delete(link.index)
      this.#suspicions.delete(link.name)
      return false
    }
    // An owner that was there and is not any more: somebody has changed the alias.
    if (owner === undefined) return false
    this.#owners.set(link.name, owner)
    this.#names.set(link.index, link.name)
    return this.#judge(link.name, 'link', link.isUp && link.mac === hostMac)
  }

  #noteRoute(route: Route, action: KernelEvent['action']): boolean {
    const { device } = route
    const owner = device === undefined ? undefined : this.#owners.get(device)
    if (device === undefined || owner === undefined || route.protocol === 2) return false
    const isOwn = owner.addresses.some((address) => hostPrefixOf(address) === route.destination)
    // A stray route that goes is well; an own one that comes, too.
    return this.#judge(device, `route ${route.destination}`, isOwn === (action === 'new'))
  }

  /** A report may be about one of them only. Of a family that the pod does not have nothing is asked. */
  #noteSettings({ family, device, isForwarding, hasProxyArp, rpFilter }: DeviceSettings): boolean {
    if (family === 6 && !this.#hasIpv6(device)) return false
    if (isForwarding !== undefined) this.#judge(device, `forwarding ${family}`, isForwarding)
    if (hasProxyArp !== undefined) this.#judge(device, `proxy ${family}`, hasProxyArp)
    if (rpFilter !== undefined) this.#judge(device, 'rp_filter', rpFilter === 1)
    return this.#suspicions.has(device)
  }

  /** A host end has one that matters: the gateway of its pod's IPv6. */
  #noteAddress({ linkIndex, address }: Address, action: KernelEvent['action']): boolean {
    const device = this.#names.get(linkIndex)
    if (device === undefined || address !== podGateways[6] || !this.#hasIpv6(device)) return false
    return this.#judge(device, 'gateway', action === 'new')
  }

  #hasIpv6(device: string): boolean {
    return this.#owners.get(device)?.addresses.some((address) => familyOf(address) === 6) ?? false
  }

  #judge(device: string, aspect: string, isRight: boolean): boolean {
    if (!this.#owners.has(device)) return false
    const suspicions = this.#suspicions.get(device) ?? new Set()
    if (isRight) suspicions.delete(aspect)
    else suspicions.add(aspect)
    if (suspicions.size === 0) this.#suspicions.delete(device)
    else this.#suspicions.set(device, suspicions)
    return suspicions.size > 0
  }
}

import { ConfigError } from '../../../base/errors.ts'
import { cidrContains, type Family, familyOf, parseCidr } from '../../../base/ip.ts'
import type { Link } from '../../../kernel/kernel.ts'
import type { AddressPlan } from '../address-plan.ts'
import { holderOf } from '../ipam/block.ts'
import type { NodeContext } from './context.ts'
import { formatAlias, parseAlias } from './names.ts'
import type { Wiring } from './wiring.ts'

/** An address by which others reach a pod that does not know of it. */
export interface FloatingAddress {
  readonly family: Family
  readonly external: string
  /** The pod's own. */
  readonly pod: string
}

const annotation = 'annotation cni.projectcalico.org/floatingIPs'

/** What Linux keeps of an interface's alias. */
const longestAlias = 255

/** Of every pod on the host, as the host ends say: nothing else has to be kept. One address leads to one pod. Pure. */
export function floatingAddresses(links: readonly Pick<Link, 'name' | 'alias'>[]): FloatingAddress[] {
  const found = [...links]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(({ alias }) => {
      const { addresses = [], floating = [] } = parseAlias(alias) ?? {}
      const own = addresses.filter((address) => !floating.includes(address))
      return floating.flatMap((external): FloatingAddress[] => {
        const family = familyOf(external)
        const pod = own.find((address) => familyOf(address) === family)
        return pod === undefined ? [] : [{ family, external, pod }]
      })
    })
  return [...new Map(found.reverse().map((each) => [each.external, each])).values()].reverse()
}

/** Throws ConfigError when a floating address has no address of the pod to lead to. */
export function requireFamilies(floating: readonly string[], { wishes }: AddressPlan): void {
  const lost = floating.find((address) => !wishes.some(({ family }) => family === familyOf(address)))
  if (lost === undefined) return
  throw new ConfigError(annotation, `${lost} is of IPv${familyOf(lost)}, and the pod has no such address`, {
    fix: 'name floating addresses of the families that the pod has',
  })
}

/** Throws ConfigError when a floating address is somebody's, here or by IPAM, or when there are too many to be kept. */
export async function requireUnused({ deps, store }: NodeContext, wiring: Wiring): Promise<void> {
  const { floating, addresses, owner, hostName, mac } = wiring
  if (floating.length === 0) return
  const alias = formatAlias({ ...owner, addresses: [...addresses, ...floating], floating, mac })
  if (alias.length > longestAlias) {
    throw new ConfigError(annotation, `${floating.length} addresses are more than a host interface can keep`, {
      fix: 'name fewer',
    })
  }
  const others = (await deps.kernel.links(undefined)).filter(({ name }) => name !== hostName)
  for (const address of floating) {
    const other = others.find((link) => parseAlias(link.alias)?.addresses.includes(address))
    const block = store.view.list().find(({ spec }) => cidrContains(parseCidr(spec.cidr), address))
    const holder = block === undefined ? undefined : holderOf(block, address)
    const user = other?.name ?? holder?.handle_id
    if (user == null) continue
    throw new ConfigError(annotation, `${address} is in use by ${user}`, {
      fix: 'name another address, one that IPAM does not give out: of a pool with assignmentMode Manual, or reserved',
    })
  }
}

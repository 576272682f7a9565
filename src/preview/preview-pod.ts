import type { NodeResource } from '../kube/resources/core.ts'
import { assignRouting } from '../meta/routing/assign-routing.ts'
import { planRouting } from '../meta/routing/plan-routing.ts'
import type { AttachmentRouting, RoutedAttachment } from '../meta/routing/types.ts'
import type { SelectedAttachment } from '../meta/select/types.ts'
import type { AttachmentPreview, ClusterPrefixes } from '../networks/driver.ts'
import { findDnsPath } from './dns-path.ts'
import { renderRoutes } from './routes.ts'
import { selectForPreview } from './select.ts'
import type { PreviewSources } from './sources.ts'

/** A pod's network on one or several nodes where it is the same. */
export interface PodPreview {
  readonly nodes: readonly string[]
  readonly interfaces: readonly InterfacePreview[]
  /** As `ip route` prints the main table; `<eth1>` stands for an address that is not decided yet. */
  readonly routes: readonly string[]
  /** As `ip rule` prints them, without the kernel's own three. */
  readonly rules: readonly string[]
  /** Routes of the other tables, by number. */
  readonly tables: Readonly<Record<string, readonly string[]>>
  readonly dns: { readonly server: string; readonly interface: string } | undefined
  readonly notes: readonly string[]
  readonly warnings: readonly string[]
}

export interface InterfacePreview {
  readonly name: string
  readonly network: string
  /** Certain addresses; empty while only `ranges` are known. */
  readonly addresses: readonly string[]
  readonly ranges: readonly string[]
  readonly mac: string | undefined
  readonly mtuBytes: number | undefined
}

/** One element for all nodes where the pod's network is the same. Throws what the ADD would throw. */
export async function previewPod(sources: PreviewSources): Promise<PodPreview[]> {
  const { attachments, warnings } = await selectForPreview(sources)
  const byContent = new Map<string, PodPreview>()
  for (const node of sources.nodes) {
    const preview = await previewOnNode({ ...sources, node, attachments, warnings })
    const key = JSON.stringify(preview)
    const same = byContent.get(key)
    byContent.set(key, { ...preview, nodes: [...(same?.nodes ?? []), node.metadata.name ?? ''] })
  }
  return [...byContent.values()]
}

interface OnNode extends PreviewSources {
  readonly node: NodeResource
  readonly attachments: readonly SelectedAttachment[]
  readonly warnings: readonly string[]
}

async function previewOnNode(options: OnNode): Promise<PodPreview> {
  const { kube, netConf, pod, node, settings } = options
  const previews = await Promise.all(
    options.attachments.map(async ({ driver, configList, ifName, isDefault, requested }) => {
      const facts = { kube, ifName, isDefault, requested, pod, node }
      return driver.preview(driver.parseConfig(configList), driver.parseSettings(settings[driver.name]), facts)
    }),
  )
  const assigned = assignRouting(options.attachments, { conf: netConf, prefixes: prefixesOf(previews) })
  const routed = assigned.flatMap((attachment, index) => {
    const preview = previews[index]
    return preview === undefined
      ? []
      : [{ ...attachment, ...routingFacts(attachment, preview), defaultRoute: attachment.requested.defaultRoute }]
  })
  const plan = planRouting(routed)
  const undecided = new Map(previews.flatMap((preview, index) => undecidedAddress(preview, assigned[index]?.ifName)))
  return {
    nodes: [],
    interfaces: previews.map((preview, index) => describe(preview, options.attachments[index])),
    ...renderRoutes(routed, plan, undecided),
    dns: await findDnsPath(kube, routed, plan),
    notes: previews.flatMap(({ notes }) => notes),
    warnings: [...options.warnings, ...plan.warnings],
  }
}

function routingFacts(
  { routing }: { readonly routing: AttachmentRouting },
  { result, installed }: AttachmentPreview,
): Pick<RoutedAttachment, 'result' | 'routing'> {
  return { result, routing: installed === undefined ? routing : { ...routing, installed } }
}

/** `pods` are the default network's, which is the first. */
function prefixesOf(previews: readonly AttachmentPreview[]): ClusterPrefixes {
  return {
    pods: previews[0]?.prefixes?.pods ?? [],
    services: previews.flatMap(({ prefixes }) => prefixes?.services ?? []),
    nodes: previews.flatMap(({ prefixes }) => prefixes?.nodes ?? []),
  }
}

function describe(
  { result, ranges, mac, mtuBytes }: AttachmentPreview,
  of: SelectedAttachment | undefined,
): InterfacePreview {
  const addresses = ranges.length > 0 ? [] : result.ips.map(({ address }) => address)
  return { name: of?.ifName ?? '', network: of?.networkName ?? '', addresses, ranges, mac, mtuBytes }
}

function undecidedAddress({ result, ranges }: AttachmentPreview, ifName = ''): [string, string][] {
  if (ranges.length === 0) return []
  return result.ips.map(({ address }): [string, string] => [address.split('/')[0] ?? '', `<${ifName}>`])
}

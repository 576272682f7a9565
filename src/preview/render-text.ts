import type { InterfacePreview, PodPreview } from './preview-pod.ts'

/** For people. Sections that have nothing are left out. */
export function renderPreviews(previews: readonly PodPreview[]): string {
  return previews.map((preview) => renderPreview(preview)).join('\n\n')
}

function renderPreview(preview: PodPreview): string {
  const sections = [
    section(`On ${preview.nodes.join(', ')}`, preview.interfaces.map(renderInterface)),
    section('ip route', preview.routes),
    section('ip rule', preview.rules),
    ...Object.entries(preview.tables).map(([table, routes]) => section(`ip route show table ${table}`, routes)),
    section('DNS', preview.dns === undefined ? [] : [`${preview.dns.server} by ${preview.dns.interface}`]),
    section('Not known before', preview.notes),
    section('Warnings', preview.warnings),
  ]
  return sections.filter((text) => text !== '').join('\n')
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [`${title}:`, ...lines.map((line) => `  ${line}`)].join('\n')
}

function renderInterface({ name, network, addresses, ranges, mac, mtuBytes }: InterfacePreview): string {
  const address = addresses.length > 0 ? addresses.join(', ') : `an address of ${ranges.join(', ') || 'its plugin'}`
  return [
    `${name} (${network}): ${address}`,
    ...(mac === undefined ? [] : [`MAC ${mac}`]),
    ...(mtuBytes === undefined ? [] : [`MTU ${mtuBytes}`]),
  ].join(', ')
}

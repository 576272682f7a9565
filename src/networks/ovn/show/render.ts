import type { ShownNetwork, ShownPort, ShownRouter, ShownSwitch } from './model.ts'

/** The topology as an indented tree, columns aligned within each switch and router. */
export function renderModel(networks: readonly ShownNetwork[]): string {
  return networks.map(renderNetwork).join('\n\n')
}

function renderNetwork({ name, topology, routers, switches }: ShownNetwork): string {
  const title = topology === 'cluster' ? 'cluster network' : `network ${name} (${topology})`
  return [title, ...routers.flatMap(renderRouter), ...switches.flatMap(renderSwitch)].join('\n')
}

function renderRouter({ name, ports, nats }: ShownRouter): string[] {
  const rows = ports.map((port) => [port.name, port.networks.join(', '), port.leadsTo])
  return [`  router ${name}`, ...aligned(rows), ...nats.map((nat) => `    ${nat}`)]
}

function renderSwitch({ name, subnets, ports }: ShownSwitch): string[] {
  const rows = ports.map((port) => [port.name, port.peer, port.addresses.join(' '), stateOf(port)])
  return [`  switch ${[name, ...subnets].join('  ')}`, ...aligned(rows)]
}

/** Only a pod's port says much by being up: it is bound and its flows are there. */
function stateOf({ pod, node, isUp }: ShownPort): string {
  if (pod === undefined) return ''
  return isUp === true ? `up on ${node ?? 'no node'}` : `down, wanted on ${node ?? 'no node'}`
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows.map((row) => `    ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
}

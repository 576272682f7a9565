import type { MigrationStep } from '../../../networks/routed/bgp/migration/plan.ts'
import { applyChange, sessionsOf, type Topology } from '../../../networks/routed/bgp/migration/topology.ts'
import type { BgpSession } from '../../../networks/routed/bgp/select-peers.ts'

/** More peers than this are counted, not named. */
const shownPeers = 6

const kinds = { mesh: 'node-to-node mesh', global: 'global', node: 'node specific' } as const

/** The sessions of each node before and after, and the steps between. */
export function renderPlan(topology: Topology, steps: readonly MigrationStep[]): string {
  const before = sessionsOf(topology)
  const after = sessionsOf(steps.flatMap(({ changes }) => changes).reduce(applyChange, topology))
  const nodes = [...before].map(
    ([node, sessions]) =>
      `${node}\n  before  ${describeSessions(sessions)}\n  after   ${describeSessions(after.get(node) ?? [])}`,
  )
  return ['Sessions', ...nodes, '', 'Steps', ...steps.map(({ title }, index) => `  ${index + 1}. ${title}`), ''].join(
    '\n',
  )
}

function describeSessions(sessions: readonly BgpSession[]): string {
  if (sessions.length === 0) return 'none'
  return (['mesh', 'global', 'node'] as const)
    .map((kind) => ({ kind, ofKind: sessions.filter((session) => session.kind === kind) }))
    .filter(({ ofKind }) => ofKind.length > 0)
    .map(({ kind, ofKind }) => `${kinds[kind]}: ${describePeers(ofKind)}`)
    .join('; ')
}

function describePeers(sessions: readonly BgpSession[]): string {
  const clients = sessions.filter(({ isRouteReflectorClient }) => isRouteReflectorClient).length
  if (sessions.length > shownPeers)
    return `${sessions.length} peers${clients > 0 ? `, ${clients} of them clients` : ''}`
  return sessions
    .map(({ address, isRouteReflectorClient }) => (isRouteReflectorClient ? `${address} (client)` : address))
    .join(', ')
}

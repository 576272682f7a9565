import { BirdError, queryBird } from '../../../bird/control.ts'
import { parseProtocols } from '../../../bird/protocols.ts'
import { parseStatus } from '../../../bird/status.ts'
import type { NetworkGauge } from '../../driver.ts'
import { findMissingSessions } from '../bgp/migration/judge.ts'
import { buildNodeStatus } from '../bgp/node-status.ts'
import type { BgpReport } from '../resources.ts'
import type { BirdState } from './bird-sync.ts'

/** Whoever asks about readiness does not wait for long. */
const askMs = 1500

/** Sessions that are named as reasons. */
const shownSessions = 3

/** The sessions that BIRD has now; undefined when it does not answer. */
export async function readSessions(socket: string): Promise<BgpReport | undefined> {
  try {
    const daemon = parseStatus(await queryBird(socket, 'show status', { timeoutMs: askMs }))
    const protocols = parseProtocols(await queryBird(socket, 'show protocols all', { timeoutMs: askMs }))
    return buildNodeStatus(['BGP'], { daemon, protocols, routes: [] }, '').bgp
  } catch (error) {
    if (error instanceof BirdError) return undefined
    throw error
  }
}

/** Why BGP gives this node no way to the pods of others. As with Calico, one session of several will do. */
export function findImpairments(
  { isolation, sessions }: Pick<BirdState, 'isolation' | 'sessions'>,
  bgp: BgpReport | undefined,
): string[] {
  if (isolation.length > 0) return [...isolation]
  if (bgp === undefined) return ['BIRD does not answer']
  const missing = findMissingSessions(sessions, { bgp })
  if (sessions.length === 0 || missing.length < sessions.length) return []
  const more = missing.length > shownSessions ? ` and ${missing.length - shownSessions} more` : ''
  return [`no BGP session is established: ${missing.slice(0, shownSessions).join(', ')}${more}`]
}

/** Described in docs/reference/metrics.md. */
export function birdGauges(bgp: BgpReport | undefined, mistakes: readonly string[]): NetworkGauge[] {
  const one = (value: number): NetworkGauge['values'] => [{ labels: {}, value }]
  const sessions = (family: string, established = 0, down = 0): NetworkGauge['values'] => [
    { labels: { family, state: 'established' }, value: established },
    { labels: { family, state: 'down' }, value: down },
  ]
  return [
    { name: 'twinlane_bird_up', help: '1 when BIRD answers.', values: one(bgp === undefined ? 0 : 1) },
    { name: 'twinlane_bgp_mistakes', help: 'What is odd about the topology of BGP.', values: one(mistakes.length) },
    {
      name: 'twinlane_bgp_sessions',
      help: 'BGP sessions that BIRD has.',
      values: [
        ...sessions('IPv4', bgp?.numberEstablishedV4, bgp?.numberNotEstablishedV4),
        ...sessions('IPv6', bgp?.numberEstablishedV6, bgp?.numberNotEstablishedV6),
      ],
    },
  ]
}

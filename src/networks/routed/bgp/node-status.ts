import { type Family, familyOf, isAddress, parseCidr } from '../../../base/ip.ts'
import type { BirdProtocolState } from '../../../bird/protocols.ts'
import type { BirdRoute } from '../../../bird/routes.ts'
import type { BirdStatus } from '../../../bird/status.ts'
import type {
  BgpReport,
  BirdReport,
  CalicoNodeStatusReport,
  NodeStatusClass,
  PeerReport,
  RouteReport,
} from '../resources.ts'
import { peerTypeOf } from './build-session.ts'

/** What BIRD answers. `daemon` is undefined when it does not. */
export interface BirdFacts {
  readonly daemon: BirdStatus | undefined
  readonly protocols: readonly BirdProtocolState[]
  readonly routes: readonly BirdRoute[]
}

/** BIRD's answers in the form of a CalicoNodeStatus. */
export function buildNodeStatus(
  classes: readonly NodeStatusClass[],
  facts: BirdFacts,
  lastUpdated: string,
): CalicoNodeStatusReport {
  return {
    lastUpdated,
    ...(classes.includes('Agent') ? { agent: { birdV4: birdReport(facts), birdV6: birdReport(facts) } } : {}),
    ...(classes.includes('BGP') ? { bgp: bgpReport(facts.protocols) } : {}),
    ...(classes.includes('Routes') ? { routes: routesReport(facts) } : {}),
  }
}

function birdReport({ daemon }: BirdFacts): BirdReport {
  if (daemon === undefined) return { state: 'NotReady' }
  return {
    state: daemon.isRecovering ? 'NotReady' : 'Ready',
    version: daemon.version,
    routerID: daemon.routerId,
    lastBootTime: daemon.lastBoot,
    lastReconfigurationTime: daemon.lastReconfiguration,
  }
}

function bgpReport(protocols: readonly BirdProtocolState[]): BgpReport {
  const peers = protocols.flatMap(peerReport)
  const [peersV4, peersV6] = ([4, 6] as const).map((family) => peers.filter(({ peerIP }) => isOf(peerIP, family)))
  const count = (list: readonly PeerReport[] = [], isUp: boolean): number =>
    list.filter(({ state }) => (state === 'Established') === isUp).length
  return {
    numberEstablishedV4: count(peersV4, true),
    numberNotEstablishedV4: count(peersV4, false),
    numberEstablishedV6: count(peersV6, true),
    numberNotEstablishedV6: count(peersV6, false),
    peersV4: peersV4 ?? [],
    peersV6: peersV6 ?? [],
  }
}

function isOf(address: string, family: Family): boolean {
  return isAddress(address) && familyOf(address) === family
}

const reportedTypes = { mesh: 'NodeMesh', node: 'NodePeer', global: 'GlobalPeer' } as const

/** Sessions that are not ours (by their names) are no business of ours. */
function peerReport(protocol: BirdProtocolState): PeerReport[] {
  const kind = protocol.protocol === 'BGP' ? peerTypeOf(protocol.name) : undefined
  if (kind === undefined || protocol.neighborAddress === undefined) return []
  const [state = 'Idle'] = protocol.info.split(' ')
  return [
    {
      peerIP: protocol.neighborAddress,
      type: reportedTypes[kind],
      state: state === '' ? 'Idle' : state,
      since: protocol.since,
      ...(protocol.lastError === undefined || state === 'Established' ? {} : { lastError: protocol.lastError }),
    },
  ]
}

function routesReport({ protocols, routes }: BirdFacts): { routesV4: RouteReport[]; routesV6: RouteReport[] } {
  const byName = new Map(protocols.map((protocol) => [protocol.name, protocol]))
  const reports = routes.flatMap((route) => routeReport(route, byName.get(route.protocol)))
  const ofFamily = (family: Family): RouteReport[] =>
    reports.filter(({ destination }) => parseCidr(destination).family === family)
  return { routesV4: ofFamily(4), routesV6: ofFamily(6) }
}

function routeReport(route: BirdRoute, source: BirdProtocolState | undefined): RouteReport[] {
  const learnedFrom = learnedFromOf(source)
  if (learnedFrom === undefined) return []
  const { destination, gateways, interfaceName, isPrimary } = route
  return [
    {
      type: isPrimary ? 'FIB' : 'RIB',
      destination,
      ...(gateways[0] === undefined ? {} : { gateway: gateways[0] }),
      ...(interfaceName === undefined ? {} : { interface: interfaceName }),
      learnedFrom,
    },
  ]
}

function learnedFromOf(source: BirdProtocolState | undefined): RouteReport['learnedFrom'] | undefined {
  switch (source?.protocol) {
    case 'Kernel':
    case 'Static':
    case 'Direct':
      return { sourceType: source.protocol }
    case 'BGP': {
      const sourceType = peerTypeOf(source.name) === 'mesh' ? 'NodeMesh' : 'BGPPeer'
      return { sourceType, ...(source.neighborAddress === undefined ? {} : { peerIP: source.neighborAddress }) }
    }
    default:
      return undefined
  }
}

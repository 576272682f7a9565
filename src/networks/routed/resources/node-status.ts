import type { KubeObject } from '../../../kube/resources/meta.ts'
import { ageColumn, calicoResource, listOf, record, text, whole } from './schema.ts'

export type NodeStatusClass = 'Agent' | 'BGP' | 'Routes'

/** What one node's BGP daemon says of itself, written by that node's agent on request (as Calico does). */
export interface CalicoNodeStatus extends KubeObject {
  spec: CalicoNodeStatusSpec
  status?: CalicoNodeStatusReport
}

export interface CalicoNodeStatusSpec {
  /** The node that reports. */
  node: string
  /** What it reports. */
  classes: NodeStatusClass[]
  /** 0: the report is not renewed. */
  updatePeriodSeconds: number
}

export interface CalicoNodeStatusReport {
  /** RFC 3339. */
  lastUpdated?: string
  agent?: { birdV4?: BirdReport; birdV6?: BirdReport }
  bgp?: BgpReport
  routes?: { routesV4?: RouteReport[]; routesV6?: RouteReport[] }
}

/** The daemon. There is one for both families, so both say the same. */
export interface BirdReport {
  state: 'Ready' | 'NotReady'
  version?: string
  routerID?: string
  lastBootTime?: string
  lastReconfigurationTime?: string
}

export interface BgpReport {
  numberEstablishedV4: number
  numberNotEstablishedV4: number
  numberEstablishedV6: number
  numberNotEstablishedV6: number
  peersV4?: PeerReport[]
  peersV6?: PeerReport[]
}

export interface PeerReport {
  peerIP: string
  type: 'NodeMesh' | 'NodePeer' | 'GlobalPeer'
  /** State of the session in BGP's words: Idle, Connect, Active, OpenSent, OpenConfirm, Established, Close. */
  state: string
  since: string
  /** Why the session is not there, e.g. `Socket: Connection refused`. Calico does not say. */
  lastError?: string
}

export interface RouteReport {
  /** FIB: the one in use. RIB: an alternative. */
  type: 'FIB' | 'RIB'
  destination: string
  gateway?: string
  interface?: string
  learnedFrom: { sourceType: 'Kernel' | 'Static' | 'Direct' | 'NodeMesh' | 'BGPPeer'; peerIP?: string }
}

const daemon = record('The BGP daemon.', {
  state: text('Ready or NotReady.'),
  version: text('Version of BIRD.'),
  routerID: text('Its router ID.'),
  lastBootTime: text('When it started.'),
  lastReconfigurationTime: text('When it last took a configuration.'),
})

const peers = listOf(
  'Sessions.',
  record('A session.', {
    peerIP: text('Address of the peer.'),
    type: text('NodeMesh, NodePeer or GlobalPeer.'),
    state: text('State of the session.'),
    since: text('Time of the last change.'),
    lastError: text('Why the session is not established.'),
  }),
)

const routes = listOf(
  'Routes.',
  record('A route.', {
    type: text('FIB: in use. RIB: an alternative.'),
    destination: text('The prefix.'),
    gateway: text('Next hop.'),
    interface: text('Interface that it leads out of.'),
    learnedFrom: record('Where it comes from.', {
      sourceType: text('Kernel, Static, Direct, NodeMesh or BGPPeer.'),
      peerIP: text('The peer that announced it.'),
    }),
  }),
)

export const calicoNodeStatuses = calicoResource<CalicoNodeStatus>({
  kind: 'CalicoNodeStatus',
  plural: 'caliconodestatuses',
  shortNames: ['caliconodestatus'],
  description: "What a node's BGP daemon says of itself. Create one to have the node report, delete it when done.",
  printerColumns: [
    { name: 'Node', type: 'string', jsonPath: '.spec.node' },
    { name: 'Established', type: 'integer', jsonPath: '.status.bgp.numberEstablishedV4' },
    { name: 'NotEstablished', type: 'integer', jsonPath: '.status.bgp.numberNotEstablishedV4' },
    { name: 'LastUpdated', type: 'date', jsonPath: '.status.lastUpdated' },
    ageColumn,
  ],
  spec: record(
    'Who reports what.',
    {
      node: text('Name of the node.'),
      classes: listOf('What to report.', { type: 'string', enum: ['Agent', 'BGP', 'Routes'] }),
      updatePeriodSeconds: whole('Seconds between two reports; 0: the report is not renewed.', { minimum: 0 }),
    },
    { required: ['node', 'classes', 'updatePeriodSeconds'] },
  ),
  status: record('The report.', {
    lastUpdated: text('Time of the report.', { format: 'date-time' }),
    agent: record('The daemon.', { birdV4: daemon, birdV6: daemon }),
    bgp: record('Sessions.', {
      numberEstablishedV4: whole('Established IPv4 sessions.'),
      numberNotEstablishedV4: whole('Other IPv4 sessions.'),
      numberEstablishedV6: whole('Established IPv6 sessions.'),
      numberNotEstablishedV6: whole('Other IPv6 sessions.'),
      peersV4: peers,
      peersV6: peers,
    }),
    routes: record('Routes.', { routesV4: routes, routesV6: routes }),
  }),
})

import type { KubeObject } from '../../../kube/resources/meta.ts'
import {
  ageColumn,
  asNumber,
  calicoResource,
  cidrPattern,
  flag,
  listOf,
  notBoth,
  record,
  text,
  whole,
} from './schema.ts'

/** `default` for the cluster, `node.<name>` for one node (as Calico does). */
export interface BGPConfiguration extends KubeObject {
  spec?: BGPConfigurationSpec
}

export interface BGPConfigurationSpec {
  logSeverityScreen?: string
  nodeToNodeMeshEnabled?: boolean
  asNumber?: number
  listenPort?: number
  bindMode?: 'None' | 'NodeIP'
  serviceClusterIPs?: { cidr: string }[]
  serviceExternalIPs?: { cidr: string }[]
  serviceLoadBalancerIPs?: { cidr: string }[]
  communities?: { name: string; value: string }[]
  prefixAdvertisements?: { cidr: string; communities: string[] }[]
  ignoredInterfaces?: string[]
  nodeMeshPassword?: { secretKeyRef?: SecretKeyRef }
  nodeMeshMaxRestartTime?: string
  nodeMeshFailureDetectionMode?: FailureDetectionMode
}

/** Whether BFD (RFC 5880) watches a session. The name is that of Calico Enterprise; the free Calico has none. */
export type FailureDetectionMode = 'None' | 'BFDIfDirectlyConnected'

/** Which of our nodes talk BGP to whom (as Calico does). */
export interface BGPPeer extends KubeObject {
  spec: BGPPeerSpec
}

export interface BGPPeerSpec {
  /** The local side: one node, a selector, or neither for all. */
  node?: string
  nodeSelector?: string
  /** The remote side: an address with an optional port, or a selector over our nodes. */
  peerIP?: string
  peerSelector?: string
  asNumber?: number
  keepOriginalNextHop?: boolean
  password?: { secretKeyRef?: SecretKeyRef }
  sourceAddress?: 'UseNodeIP' | 'None'
  maxRestartTime?: string
  numAllowedLocalASNumbers?: number
  ttlSecurity?: number
  reachableBy?: string
  reversePeering?: 'Auto' | 'Manual'
  /** Names of BGPFilters, in the order in which they are asked. */
  filters?: string[]
  localASNumber?: number
  nextHopMode?: 'Auto' | 'Self' | 'Keep'
  failureDetectionMode?: FailureDetectionMode
}

export interface SecretKeyRef {
  name: string
  key: string
}

const failureDetectionMode = text(
  'BFDIfDirectlyConnected: BFD notices within a second that the peer is gone. Default None.',
  {
    enum: ['None', 'BFDIfDirectlyConnected'],
  },
)

const secretKeyRef = record('Key of a Secret that holds the password.', {
  secretKeyRef: record(
    'Name and key.',
    { name: text('Name of the Secret.'), key: text('Key within it.') },
    {
      required: ['name', 'key'],
    },
  ),
})

const prefixes = (description: string) =>
  listOf(description, record('A prefix.', { cidr: text('The prefix.', { pattern: cidrPattern }) }))

export const bgpConfigurations = calicoResource<BGPConfiguration>({
  kind: 'BGPConfiguration',
  plural: 'bgpconfigurations',
  shortNames: ['bgpconfig', 'bgpconfigs'],
  description: 'How nodes speak BGP: the one named default is for the cluster, node.<name> for one node.',
  printerColumns: [
    { name: 'LogSeverity', type: 'string', jsonPath: '.spec.logSeverityScreen' },
    { name: 'MeshEnabled', type: 'boolean', jsonPath: '.spec.nodeToNodeMeshEnabled' },
    { name: 'ASNumber', type: 'integer', jsonPath: '.spec.asNumber' },
    ageColumn,
  ],
  spec: record('Settings.', {
    logSeverityScreen: text('How much BIRD logs.', {
      enum: [
        'Debug',
        'Info',
        'Warning',
        'Error',
        'Fatal',
        'None',
        'debug',
        'info',
        'warning',
        'error',
        'fatal',
        'none',
      ],
    }),
    nodeToNodeMeshEnabled: flag('Every node peers with every other. Default true. Turn it off only when peers are up.'),
    asNumber: asNumber('AS number of nodes that have none of their own. Default 64512.'),
    listenPort: whole('TCP port that nodes listen on for BGP. Default 179.', { minimum: 1, maximum: 65_535 }),
    bindMode: text('Whether BGP listens on all addresses or on the address of the node only.', {
      enum: ['None', 'NodeIP'],
    }),
    serviceClusterIPs: prefixes('Prefixes of cluster addresses of services to announce.'),
    serviceExternalIPs: prefixes('Prefixes of external addresses of services to announce.'),
    serviceLoadBalancerIPs: prefixes('Prefixes of load balancer addresses of services to announce.'),
    communities: listOf(
      'Names for BGP communities.',
      record('A community.', {
        name: text('Its name.'),
        value: text('aa:nn or aa:nn:mm.', { pattern: '^\\d+:\\d+(:\\d+)?$' }),
      }),
    ),
    prefixAdvertisements: listOf(
      'Communities to put on routes.',
      record('Routes inside a prefix.', {
        cidr: text('The prefix.', { pattern: cidrPattern }),
        communities: listOf('Names or values of communities.', { type: 'string' }),
      }),
    ),
    ignoredInterfaces: listOf('Interfaces whose networks are not known to BGP.', { type: 'string' }),
    nodeMeshPassword: secretKeyRef,
    nodeMeshMaxRestartTime: text('Longest time that peers of the mesh keep routes of a node that restarts, e.g. 120s.'),
    nodeMeshFailureDetectionMode: failureDetectionMode,
  }),
})

export const bgpPeers = calicoResource<BGPPeer>({
  kind: 'BGPPeer',
  plural: 'bgppeers',
  shortNames: ['bgpp', 'bgpps', 'bp', 'bps'],
  description: 'BGP sessions between nodes of the cluster, or from nodes to a router outside.',
  printerColumns: [
    { name: 'PeerIP', type: 'string', jsonPath: '.spec.peerIP' },
    { name: 'Node', type: 'string', jsonPath: '.spec.node' },
    { name: 'NodeSelector', type: 'string', jsonPath: '.spec.nodeSelector', priority: 1 },
    { name: 'PeerSelector', type: 'string', jsonPath: '.spec.peerSelector' },
    { name: 'ASN', type: 'integer', jsonPath: '.spec.asNumber' },
    ageColumn,
  ],
  spec: record(
    'The two sides.',
    {
      node: text('The one node that has this session. Not together with nodeSelector; neither means every node.'),
      nodeSelector: text('Nodes that have this session, as a selector over node labels, e.g. all().'),
      peerIP: text('Address of the peer, with :port if it is not 179 ([address]:port for IPv6).'),
      peerSelector: text("Nodes that are the peers, e.g. route-reflector == 'true'. Not together with peerIP."),
      asNumber: asNumber('AS number of the peer; only together with peerIP.'),
      keepOriginalNextHop: flag('Leave the next hop of routes as it is when announcing them over eBGP.'),
      password: secretKeyRef,
      sourceAddress: text('Address that the session is opened from.', { enum: ['UseNodeIP', 'None'] }),
      maxRestartTime: text('Longest time that the peer keeps our routes while we restart, e.g. 120s.'),
      numAllowedLocalASNumbers: whole('How often our own AS may be in the path of a route we accept.', { minimum: 0 }),
      ttlSecurity: whole('Number of hops to the peer, checked by TTL.', { minimum: 1, maximum: 255 }),
      reachableBy: text('Gateway to reach peerIP by.'),
      reversePeering: text('Auto: selected peers get the session back without being selected themselves.', {
        enum: ['Auto', 'Manual'],
      }),
      filters: listOf('Names of BGPFilters, in the order in which they are asked.', { type: 'string' }),
      localASNumber: asNumber('AS number that the local side shows to this peer.'),
      nextHopMode: text('Self: our address. Keep: as we have it. Auto: our address over eBGP, kept over iBGP.', {
        enum: ['Auto', 'Self', 'Keep'],
      }),
      failureDetectionMode,
    },
    {
      allOf: [
        notBoth('node', 'nodeSelector'),
        notBoth('peerIP', 'peerSelector'),
        notBoth('peerSelector', 'asNumber'),
        notBoth('peerSelector', 'reachableBy'),
        notBoth('keepOriginalNextHop', 'nextHopMode'),
      ],
    },
  ),
})

import type { KubeObject } from '../../../kube/resources/meta.ts'
import { ageColumn, calicoResource, cidrPattern, listOf, needs, record, text, whole } from './schema.ts'

/** Which routes a session takes and gives, before what every session does (as Calico does). */
export interface BGPFilter extends KubeObject {
  spec?: BGPFilterSpec
}

export interface BGPFilterSpec {
  importV4?: BGPFilterRule[]
  exportV4?: BGPFilterRule[]
  importV6?: BGPFilterRule[]
  exportV6?: BGPFilterRule[]
}

/** Every condition that is given must hold; the first rule that matches decides. */
export interface BGPFilterRule {
  cidr?: string
  matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn'
  prefixLength?: { min?: number; max?: number }
  source?: 'RemotePeers'
  interface?: string
  action: 'Accept' | 'Reject'
}

const rules = (description: string, longest: number) =>
  listOf(
    description,
    record(
      'A rule; every condition that is given must hold.',
      {
        cidr: text('A prefix, together with matchOperator.', { pattern: cidrPattern }),
        matchOperator: text('How the route is compared with cidr.', { enum: ['Equal', 'NotEqual', 'In', 'NotIn'] }),
        prefixLength: record('Lengths of the route, together with cidr and In or NotIn.', {
          min: whole('The shortest.', { minimum: 0, maximum: longest }),
          max: whole('The longest.', { minimum: 0, maximum: longest }),
        }),
        source: text('RemotePeers: routes that came by BGP.', { enum: ['RemotePeers'] }),
        interface: text('Interface that the route leads out of; * and ? stand for other characters.'),
        action: text('What happens to a route that matches.', { enum: ['Accept', 'Reject'] }),
      },
      {
        required: ['action'],
        allOf: [needs('cidr', 'matchOperator'), needs('matchOperator', 'cidr'), needs('prefixLength', 'cidr')],
      },
    ),
  )

export const bgpFilters = calicoResource<BGPFilter>({
  kind: 'BGPFilter',
  plural: 'bgpfilters',
  shortNames: ['bgpfilter'],
  description: 'Rules for the routes of the BGP sessions whose BGPPeer names them.',
  printerColumns: [ageColumn],
  spec: record(
    'Rules by direction and family; asked in order. A route that no rule matches goes on as without filter.',
    {
      importV4: rules('IPv4 routes that we get.', 32),
      exportV4: rules('IPv4 routes that we give.', 32),
      importV6: rules('IPv6 routes that we get.', 128),
      exportV6: rules('IPv6 routes that we give.', 128),
    },
  ),
})

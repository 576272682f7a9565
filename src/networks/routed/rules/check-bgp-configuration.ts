import type { ResourceProblem } from '../../driver.ts'
import type { BGPConfiguration, BGPConfigurationSpec } from '../resources.ts'
import { cidrProblems, durationProblems, isGiven } from './fields.ts'

/** Standard (aa:nn) or large (aa:nn:mm). */
const communityValue = /^\d+:\d+(:\d+)?$/

/** Fields that mean something in the configuration of the cluster only (as Calico has it). */
const clusterOnly = ['asNumber', 'nodeToNodeMeshEnabled', 'nodeMeshPassword', 'nodeMeshMaxRestartTime'] as const

/** What is wrong with a BGPConfiguration by itself (rules as Calico's). Pure. */
export function checkBgpConfiguration({ metadata, spec = {} }: BGPConfiguration): ResourceProblem[] {
  return [
    ...nameProblems(metadata.name, spec),
    ...serviceProblems(spec),
    ...advertisementProblems(spec),
    ...durationProblems('spec.nodeMeshMaxRestartTime', spec.nodeMeshMaxRestartTime),
  ]
}

function nameProblems(name: string, spec: BGPConfigurationSpec): ResourceProblem[] {
  if (name === 'default') return []
  if (!/^node\..+/.test(name)) {
    const reason = `"${name}" is asked by nobody: it must be default, or node.NAME for one node`
    return [{ field: 'metadata.name', reason }]
  }
  return clusterOnly
    .filter((field) => isGiven(spec, field))
    .map((field) => ({ field: `spec.${field}`, reason: 'belongs into the BGPConfiguration named default' }))
}

function serviceProblems(spec: BGPConfigurationSpec): ResourceProblem[] {
  const fields = ['serviceClusterIPs', 'serviceExternalIPs', 'serviceLoadBalancerIPs'] as const
  return fields.flatMap((field) =>
    (spec[field] ?? []).flatMap(({ cidr }, index) => cidrProblems(`spec.${field}[${index}].cidr`, cidr)),
  )
}

function advertisementProblems({
  prefixAdvertisements = [],
  communities = [],
}: BGPConfigurationSpec): ResourceProblem[] {
  const names = communities.map(({ name }) => name)
  return prefixAdvertisements.flatMap(({ cidr, communities: wanted = [] }, index) => {
    const field = `spec.prefixAdvertisements[${index}]`
    const unknown = wanted.flatMap((text, at): ResourceProblem[] => {
      if (names.includes(text) || communityValue.test(text)) return []
      const reason = `"${text}" is neither a community such as 64512:1 nor a name in spec.communities`
      return [{ field: `${field}.communities[${at}]`, reason }]
    })
    return [...cidrProblems(`${field}.cidr`, cidr), ...unknown]
  })
}

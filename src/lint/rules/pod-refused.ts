import { TwinlaneError } from '../../base/errors.ts'
import { networksAnnotation } from '../../kube/resources/net-attach-def.ts'
import { readPodNetworks } from '../../meta/select/pod-networks.ts'
import { describeRefusal } from '../describe-refusal.ts'
import { defaultInterface } from '../pod-selections.ts'
import type { Rule } from '../rule.ts'
import { selectAsAgent } from '../select-as-agent.ts'

/** The agent's own judgement on all of the pod's networks together. */
export const podRefused: Rule = ({ object, path }, context) => {
  try {
    const networks = readPodNetworks(object, context.conf, defaultInterface)
    const isKnown = ({ name, namespace }: { name: string; namespace: string }): boolean =>
      context.isComplete ||
      context.definitions.some(
        ({ metadata }) => metadata.name === name && (metadata.namespace ?? 'default') === namespace,
      )
    const { defaultOverride } = networks
    const known = {
      ...networks,
      selections: networks.selections.filter(isKnown),
      defaultOverride: defaultOverride !== undefined && isKnown(defaultOverride) ? defaultOverride : undefined,
    }
    selectAsAgent(known, object.metadata.namespace ?? 'default', context)
    return []
  } catch (error) {
    if (!(error instanceof TwinlaneError)) throw error
    const field = [...path, 'metadata', 'annotations', networksAnnotation]
    return [{ rule: 'pod-networks', severity: 'error', message: describeRefusal(error), fix: error.fix, field }]
  }
}

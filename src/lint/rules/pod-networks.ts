import { TwinlaneError } from '../../base/errors.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'
import type { LintContext } from '../context.ts'
import { describeRefusal } from '../describe-refusal.ts'
import type { Finding } from '../finding.ts'
import { type PlacedSelection, placedSelections } from '../pod-selections.ts'
import type { Rule } from '../rule.ts'
import { selectAsAgent } from '../select-as-agent.ts'

/** Rule and key of the element by the reason that the agent gives. */
const rulesByReason = new Map([
  ['NoNetworkFound', { rule: 'unknown-network', key: 'name' }],
  ['NamespaceIsolation', { rule: 'namespace-isolation', key: 'namespace' }],
  ['UnsupportedRequest', { rule: 'capability', key: 'name' }],
])

/** Each network by itself: is it there, may the pod use it, can it do what is asked of it? */
export const podNetworks: Rule = (subject, context) =>
  placedSelections(subject, context).flatMap((placed): Finding[] => {
    const { selection, source } = placed
    const networks = source.isDefault
      ? { defaultOverride: selection, selections: [], warnings: [] }
      : { defaultOverride: undefined, selections: [selection], warnings: [] }
    try {
      selectAsAgent(networks, subject.object.metadata.namespace ?? 'default', context)
      return []
    } catch (error) {
      if (!(error instanceof TwinlaneError)) throw error
      return [findingOf(error, placed, context)]
    }
  })

function findingOf(error: TwinlaneError, placed: PlacedSelection, context: LintContext): Finding {
  const reason = error instanceof NetworkSelectionError ? error.reason : ''
  const { rule, key } = rulesByReason.get(reason) ?? { rule: 'network', key: 'name' }
  const at = { field: placed.source.field, position: placed.positionOf(key) }
  if (rule === 'unknown-network') return { rule, ...at, ...unknownNetwork(error, placed, context) }
  return { rule, severity: 'error', message: describeRefusal(error), fix: error.fix, ...at }
}

function unknownNetwork(
  error: TwinlaneError,
  { selection }: PlacedSelection,
  context: LintContext,
): Pick<Finding, 'severity' | 'message' | 'fix'> {
  const { name, namespace } = selection
  const same = context.definitions.find(({ metadata }) => metadata.name === name)?.metadata
  if (same !== undefined) {
    const place = same.namespace ?? 'default'
    const message = `there is no NetworkAttachmentDefinition ${namespace}/${name}, but one exists in namespace ${place}`
    return { severity: 'error', message, fix: `Write "${place}/${name}", or "namespace": "${place}" in the JSON form.` }
  }
  if (context.isComplete) return { severity: 'error', message: error.message, fix: error.fix }
  return {
    severity: 'warning',
    message: `NetworkAttachmentDefinition ${namespace}/${name} is not among the files`,
    fix: 'Name its file too, or look it up in the cluster with --cluster.',
  }
}

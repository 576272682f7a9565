import type { NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration } from 'kubernetes-types/core/v1.js'
import type { NodeResource, PodResource } from '../../kube/resources/core.ts'

/** Where a pod goes, or how many nodes it does not fit for each reason. */
export type Selection = { readonly node: string } | { readonly reasons: ReadonlyMap<string, number> }

/** Chooses a node by the filters of Kubernetes' default scheduler; among those that fit, the one with the fewest pods. Pure. */
export function selectNode(options: {
  pod: PodResource
  nodes: readonly NodeResource[]
  /** Pods on each node. */
  podCounts: ReadonlyMap<string, number>
}): Selection {
  const { pod, nodes, podCounts } = options
  const reasons = new Map<string, number>()
  const fitting: string[] = []
  for (const node of nodes) {
    const reason = refusalOf(pod, node)
    if (reason === undefined) fitting.push(node.metadata.name)
    else reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  const [best] = fitting.sort((a, b) => (podCounts.get(a) ?? 0) - (podCounts.get(b) ?? 0) || a.localeCompare(b))
  return best === undefined ? { reasons } : { node: best }
}

/** The message of FailedScheduling and of the condition PodScheduled, in the scheduler's words. */
export function describeRefusal(reasons: ReadonlyMap<string, number>): string {
  const total = [...reasons.values()].reduce((sum, count) => sum + count, 0)
  if (total === 0) return 'no nodes available to schedule pods'
  const lines = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  const preemption = `preemption: 0/${total} nodes are available: ${total} Preemption is not helpful for scheduling.`
  return `0/${total} nodes are available: ${lines.join(', ')}. ${preemption}`
}

function refusalOf(pod: PodResource, node: NodeResource): string | undefined {
  const tolerations = pod.spec?.tolerations ?? []
  const isTolerated = (taint: Taint): boolean => tolerations.some((toleration) => tolerates(toleration, taint))
  if (node.spec?.unschedulable === true && !isTolerated(unschedulableTaint)) return 'node(s) were unschedulable'
  const taint = taintsOf(node).find((candidate) => !isTolerated(candidate))
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  return matchesSelectors(pod, node) ? undefined : "node(s) didn't match Pod's node affinity/selector"
}

const unschedulableTaint: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** The node's own taints that keep pods away, and those that Kubernetes' node controller would add. */
function taintsOf(node: NodeResource): Taint[] {
  const own = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule')
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status
  if (ready === 'True') return own
  const key = ready === 'Unknown' ? 'node.kubernetes.io/unreachable' : 'node.kubernetes.io/not-ready'
  return [...own.filter((taint) => taint.key !== key), { key, effect: 'NoSchedule' }]
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false
  if (toleration.key === undefined || toleration.key === '') return toleration.operator === 'Exists'
  if (toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '')
}

function matchesSelectors(pod: PodResource, node: NodeResource): boolean {
  const labels = node.metadata.labels ?? {}
  const wanted = Object.entries(pod.spec?.nodeSelector ?? {})
  if (!wanted.every(([key, value]) => labels[key] === value)) return false
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  return terms === undefined || terms.some((term) => matchesTerm(term, node, labels))
}

/** All requirements of a term must hold; a term without any matches nothing. */
function matchesTerm(term: NodeSelectorTerm, node: NodeResource, labels: Record<string, string>): boolean {
  const { matchExpressions = [], matchFields = [] } = term
  if (matchExpressions.length + matchFields.length === 0) return false
  const fields = { 'metadata.name': node.metadata.name }
  return (
    matchExpressions.every((requirement) => meets(requirement, labels)) &&
    matchFields.every((requirement) => meets(requirement, fields))
  )
}

function meets(requirement: NodeSelectorRequirement, labels: Readonly<Record<string, string>>): boolean {
  const { key, operator, values = [] } = requirement
  const value = labels[key]
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return false
  }
}

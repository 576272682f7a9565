import { describe, expect, it } from 'vitest'
import type { NodeResource, PodResource } from '../../kube/resources/core.ts'
import { describeRefusal, selectNode } from './select-node.ts'

function node(
  name: string,
  options: { labels?: Record<string, string>; taints?: object[]; ready?: string; off?: boolean } = {},
) {
  return {
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
    spec: { taints: options.taints ?? [], unschedulable: options.off ?? false },
    status: { conditions: [{ type: 'Ready', status: options.ready ?? 'True' }] },
  } as unknown as NodeResource
}

function pod(spec: object = {}): PodResource {
  return { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [], ...spec } } as PodResource
}

const nodes = [node('master01'), node('work01', { labels: { disk: 'ssd', cpus: '8' } }), node('work02')]

function select(spec: object = {}, given = nodes, counts: Record<string, number> = {}) {
  return selectNode({ pod: pod(spec), nodes: given, podCounts: new Map(Object.entries(counts)) })
}

function affinity(...matchExpressions: object[]): object {
  const terms = { nodeSelectorTerms: [{ matchExpressions }] }
  return { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } }
}

describe('the scheduler', () => {
  it('takes the node with the fewest pods, the first by name of equals', () => {
    expect(select()).toEqual({ node: 'master01' })
    expect(select({}, nodes, { master01: 2, work01: 1, work02: 1 })).toEqual({ node: 'work01' })
  })

  it('obeys nodeSelector', () => {
    expect(select({ nodeSelector: { 'kubernetes.io/hostname': 'work02' } })).toEqual({ node: 'work02' })
  })

  it.each([
    [{ key: 'disk', operator: 'In', values: ['ssd'] }, 'work01'],
    [{ key: 'disk', operator: 'NotIn', values: ['ssd'] }, 'master01'],
    [{ key: 'disk', operator: 'Exists' }, 'work01'],
    [{ key: 'disk', operator: 'DoesNotExist' }, 'master01'],
    [{ key: 'cpus', operator: 'Gt', values: ['4'] }, 'work01'],
    [{ key: 'cpus', operator: 'Lt', values: ['9'] }, 'work01'],
  ])('obeys the required node affinity %j', (requirement, expected) => {
    expect(select(affinity(requirement))).toEqual({ node: expected })
  })

  it('keeps away from taints that the pod does not tolerate', () => {
    const taints = [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }]
    const given = [node('a', { taints })]
    const refused = select({}, given)
    expect('reasons' in refused && describeRefusal(refused.reasons)).toBe(
      '0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    )
    expect(select({ tolerations: [{ key: 'dedicated', value: 'db' }] }, given)).toEqual({ node: 'a' })
    expect(select({ tolerations: [{ key: 'dedicated', value: 'web' }] }, given)).not.toHaveProperty('node')
    expect(
      select({ tolerations: [{ key: 'dedicated', operator: 'Exists', effect: 'NoExecute' }] }, given),
    ).not.toHaveProperty('node')
    expect(select({ tolerations: [{ operator: 'Exists' }] }, given)).toEqual({ node: 'a' })
  })

  it('minds a soft taint not at all', () => {
    expect(select({}, [node('a', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] })])).toEqual({ node: 'a' })
  })

  it('says for how many nodes each reason holds', () => {
    const given = [node('a', { off: true }), node('b', { ready: 'False' }), node('c'), node('d')]
    const refused = select({ nodeSelector: { disk: 'ssd' } }, given)
    expect('reasons' in refused && describeRefusal(refused.reasons)).toMatch(
      /^0\/4 nodes are available: 1 node\(s\) had untolerated taint \{node\.kubernetes\.io\/not-ready: \}, 1 node\(s\) were unschedulable, 2 node\(s\) didn't match Pod's node affinity\/selector\. preemption:/,
    )
  })

  it('has its own words for a cluster without nodes', () => {
    expect(describeRefusal(new Map())).toBe('no nodes available to schedule pods')
  })
})

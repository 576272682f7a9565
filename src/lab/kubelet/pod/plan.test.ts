import { describe, expect, it } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import { nextBackoff, planPod } from './plan.ts'
import type { ContainerRecord, PodRecord } from './record.ts'

const limits = { initialMs: 10_000, maxMs: 300_000 }
const nowMs = 1_000_000

function pod(restartPolicy: string, init: object[] = []): PodResource {
  const spec = { restartPolicy, initContainers: init, containers: [{ name: 'a' }, { name: 'b' }] }
  return { metadata: { name: 'p', namespace: 'default', uid: 'u' }, spec } as unknown as PodResource
}

function container(change: Partial<ContainerRecord> = {}): ContainerRecord {
  return { id: 'x', attempt: 0, state: 'running', createdAtMs: 0, startedAtMs: nowMs, backoffMs: 0, ...change }
}

function exited(exitCode: number, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return container({ state: 'exited', exitCode, finishedAtMs: nowMs, ...change })
}

function plan(given: PodResource, containers: Record<string, ContainerRecord>, atMs = nowMs) {
  const histories = Object.entries(containers).map(([name, current]) => [name, { current }])
  const record = { uid: 'u', namespace: 'default', name: 'p', containers: Object.fromEntries(histories) } as PodRecord
  const { start, wait, ended } = planPod({ pod: given, record, nowMs: atMs, limits })
  return {
    start: start.map((step) => `${step.container.name}#${step.attempt}`),
    wait: wait.map((step) => `${step.container.name}+${step.untilMs - atMs}`),
    ended,
  }
}

describe('planPod', () => {
  it('starts all containers of a new pod', () => {
    expect(plan(pod('Always'), {})).toEqual({ start: ['a#0', 'b#0'], wait: [], ended: undefined })
  })

  it('starts nothing while everything runs', () => {
    expect(plan(pod('Always'), { a: container(), b: container() })).toEqual({ start: [], wait: [], ended: undefined })
  })

  it('restarts at once after the first end, then after a pause', () => {
    expect(plan(pod('Always'), { a: exited(1), b: container() }).start).toEqual(['a#1'])
    const second = { a: exited(1, { attempt: 1 }), b: container() }
    expect(plan(pod('Always'), second)).toMatchObject({ start: [], wait: ['a+10000'] })
    expect(plan(pod('Always'), second, nowMs + 10_000)).toMatchObject({ start: ['a#2'], wait: [] })
  })

  it('restarts on failure only what has failed', () => {
    expect(plan(pod('OnFailure'), { a: exited(0), b: exited(2) }).start).toEqual(['b#1'])
    expect(plan(pod('OnFailure'), { a: exited(0), b: exited(0) }).ended).toBe('Succeeded')
  })

  it('ends a pod that is never restarted by its exit codes', () => {
    expect(plan(pod('Never'), { a: exited(0), b: container() }).ended).toBeUndefined()
    expect(plan(pod('Never'), { a: exited(0), b: exited(0) }).ended).toBe('Succeeded')
    expect(plan(pod('Never'), { a: exited(0), b: exited(1) }).ended).toBe('Failed')
  })

  it('runs init containers in order and the others after the last', () => {
    const given = pod('Always', [{ name: 'i' }, { name: 'j' }])
    expect(plan(given, {}).start).toEqual(['i#0'])
    expect(plan(given, { i: container() }).start).toEqual([])
    expect(plan(given, { i: exited(0) }).start).toEqual(['j#0'])
    expect(plan(given, { i: exited(0), j: exited(0) }).start).toEqual(['a#0', 'b#0'])
  })

  it('repeats a failed init container unless the pod is never restarted', () => {
    expect(plan(pod('Always', [{ name: 'i' }]), { i: exited(1) }).start).toEqual(['i#1'])
    expect(plan(pod('Never', [{ name: 'i' }]), { i: exited(1) })).toMatchObject({ start: [], ended: 'Failed' })
  })

  it('goes on past a running sidecar and keeps it running', () => {
    const given = pod('Always', [{ name: 's', restartPolicy: 'Always' }])
    expect(plan(given, {}).start).toEqual(['s#0'])
    expect(plan(given, { s: container() }).start).toEqual(['a#0', 'b#0'])
    expect(plan(given, { s: exited(0), a: container(), b: container() }).start).toEqual(['s#1'])
  })
})

describe('nextBackoff', () => {
  it('doubles up to the longest pause', () => {
    const pauses = [0]
    for (let attempt = 1; attempt < 8; attempt++) {
      pauses.push(nextBackoff(exited(1, { attempt, backoffMs: pauses.at(-1) ?? 0 }), limits))
    }
    expect(pauses).toEqual([0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
  })

  it('begins anew after a long run', () => {
    const long = exited(1, { attempt: 5, backoffMs: 160_000, startedAtMs: 0, finishedAtMs: 600_000 })
    expect(nextBackoff(long, limits)).toBe(0)
  })
})

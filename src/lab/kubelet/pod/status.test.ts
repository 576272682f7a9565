import { describe, expect, it } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import type { ContainerRecord } from './record.ts'
import { buildPodStatus, type StatusInput } from './status.ts'

const running: ContainerRecord = {
  id: 'c1',
  attempt: 0,
  state: 'running',
  createdAtMs: 0,
  startedAtMs: 1000,
  backoffMs: 0,
}
const exited: ContainerRecord = { ...running, state: 'exited', exitCode: 3, finishedAtMs: 5000 }

function input(change: Partial<StatusInput> & { current?: ContainerRecord; conditions?: object[] } = {}): StatusInput {
  const { current, conditions = [], ...rest } = change
  const spec = { containers: [{ name: 'main', image: 'busybox' }] }
  const sandbox = { id: 's', namespaces: { ipc: '' }, isReady: true, ips: ['10.244.1.2'] }
  const containers = current === undefined ? {} : { main: { current } }
  return {
    pod: { metadata: { name: 'p', namespace: 'default' }, spec, status: { conditions } } as unknown as PodResource,
    record: { uid: 'u', namespace: 'default', name: 'p', sandbox, containers },
    plan: { start: [], wait: [] },
    waiting: new Map(),
    notReady: new Set(),
    notStarted: new Set(),
    images: [],
    nodeIp: '192.168.122.101',
    startTime: '2026-01-01T00:00:00Z',
    now: '2026-01-01T00:01:00Z',
    ...rest,
  }
}

describe('buildPodStatus', () => {
  it('is pending while its container is created', () => {
    const status = buildPodStatus(input())
    expect(status.phase).toBe('Pending')
    expect(status.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'ContainerCreating' } })
    const ready = status.conditions?.find(({ type }) => type === 'Ready')
    expect(ready).toMatchObject({ status: 'False', message: 'containers with unready status: [main]' })
  })

  it('is running and ready with its container', () => {
    const status = buildPodStatus(input({ current: running }))
    expect(status).toMatchObject({ phase: 'Running', podIP: '10.244.1.2', podIPs: [{ ip: '10.244.1.2' }] })
    expect(status.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0 })
    expect(status.containerStatuses?.[0]?.state).toEqual({ running: { startedAt: '1970-01-01T00:00:01Z' } })
  })

  it('is not ready when a probe says no', () => {
    const status = buildPodStatus(input({ current: running, notReady: new Set(['c1']) }))
    expect(status.phase).toBe('Running')
    expect(status.containerStatuses?.[0]?.ready).toBe(false)
  })

  it('stays running while a crashed container waits for its restart', () => {
    const waiting = new Map([['main', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]])
    const status = buildPodStatus(input({ current: exited, waiting }))
    expect(status.phase).toBe('Running')
    expect(status.containerStatuses?.[0]?.state?.waiting?.reason).toBe('CrashLoopBackOff')
    expect(status.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
  })

  it('ends with the plan', () => {
    const status = buildPodStatus(
      input({ current: { ...exited, exitCode: 0 }, plan: { start: [], wait: [], ended: 'Succeeded' } }),
    )
    expect(status.phase).toBe('Succeeded')
    expect(status.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' })
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.reason).toBe('PodCompleted')
  })

  it('keeps the time of a condition that does not change, and conditions of others', () => {
    const old = { status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' }
    const conditions = [
      { type: 'Ready', ...old },
      { type: 'example.com/gate', ...old },
    ]
    const status = buildPodStatus(input({ current: running, conditions }))
    const timeOf = (name: string) => status.conditions?.find(({ type }) => type === name)?.lastTransitionTime
    expect(timeOf('Ready')).toBe('2025-01-01T00:00:00Z')
    expect(timeOf('Initialized')).toBe('2026-01-01T00:01:00Z')
    expect(timeOf('example.com/gate')).toBe('2025-01-01T00:00:00Z')
  })
})

import { describe, expect, it } from 'vitest'
import type { ApiObject } from '../object.ts'
import { parseJsonPath } from './json-path.ts'
import { podColumns, podStatusText } from './pods.ts'
import { durationText } from './table.ts'

describe('a duration', () => {
  it.each([
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [599, '9m59s'],
    [3600, '60m'],
    [3 * 3600 + 60, '3h1m'],
    [8 * 3600 + 60, '8h'],
    [50 * 3600, '2d2h'],
    [9 * 86_400, '9d'],
    [800 * 86_400, '2y70d'],
  ])('of %d seconds reads %s', (seconds, text) => {
    expect(durationText(seconds)).toBe(text)
  })
})

describe('a JSON path', () => {
  const root = {
    spec: { 'a.b': 1, list: [{ n: 1 }, { n: 2 }] },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Other', status: 'False' },
      ],
    },
  }

  it.each([
    ['.spec.list[0].n', [1]],
    ['.spec.list[-1].n', [2]],
    ['.spec.list[*].n', [1, 2]],
    [String.raw`.spec.a\.b`, [1]],
    [".spec['a.b']", [1]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ['.status.conditions[?(@.type=="Gone")].status', []],
    ['.missing.deep', []],
    ['{.spec.list[1].n}', [2]],
    ['.broken[', []],
  ])('%s reaches %j', (path, expected) => {
    expect(parseJsonPath(path)(root)).toEqual(expected)
  })
})

describe('the STATUS of a pod', () => {
  const pod = (status: object, more: object = {}): ApiObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'i' }, { name: 'j' }] },
    status,
    ...more,
  })
  const waiting = (reason: string) => ({ name: 'a', state: { waiting: { reason } } })
  const ended = (exitCode: number, reason?: string) => ({
    name: 'a',
    state: { terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } },
  })
  const running = { name: 'b', ready: true, state: { running: {} } }

  it.each([
    [{ phase: 'Pending' }, 'Pending'],
    [{ phase: 'Failed', reason: 'Evicted' }, 'Evicted'],
    [{ phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] }, 'ContainerCreating'],
    [{ phase: 'Running', containerStatuses: [waiting('CrashLoopBackOff'), running] }, 'CrashLoopBackOff'],
    [{ phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] }, 'Completed'],
    [{ phase: 'Failed', containerStatuses: [ended(1, 'Error')] }, 'Error'],
    [{ phase: 'Failed', containerStatuses: [ended(3)] }, 'ExitCode:3'],
    [{ phase: 'Pending', initContainerStatuses: [ended(0), waiting('PodInitializing')] }, 'Init:1/2'],
    [{ phase: 'Pending', initContainerStatuses: [ended(2)] }, 'Init:ExitCode:2'],
    [{ phase: 'Pending', initContainerStatuses: [waiting('ImagePullBackOff')] }, 'Init:ImagePullBackOff'],
    [
      {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [ended(0, 'Completed'), running],
      },
      'Running',
    ],
  ])('of %j is %s', (status, expected) => {
    expect(podStatusText(pod(status))).toBe(expected)
  })

  it('is Terminating once it is being deleted', () => {
    const deleting = pod({ phase: 'Running' }, { metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } })
    expect(podStatusText(deleting)).toBe('Terminating')
  })

  it('stands beside the containers that are ready and the restarts', () => {
    const cells = podColumns.cells(
      pod({
        phase: 'Running',
        containerStatuses: [
          { ...waiting('Error'), restartCount: 2 },
          { ...running, restartCount: 1 },
        ],
      }),
    )
    expect(cells.slice(0, 4)).toEqual(['p', '1/2', 'Error', '3'])
  })
})

import { expect, test } from 'vitest'
import type { NetworkConfigList } from '../../cni/request.ts'
import type { AttachmentRecord } from '../attachment-record.ts'
import { planGarbage, recordedNetworks } from './plan-garbage.ts'

function listOf(name: string, more: object = {}): NetworkConfigList {
  return { cniVersion: '1.1.0', name, plugins: [{ cniVersion: '1.1.0', name, type: 'plugin', ...more }] }
}

function recordOf(containerId: string, lists: Readonly<Record<string, NetworkConfigList>>): AttachmentRecord {
  const pod = { namespace: 'default', name: containerId, uid: containerId }
  const attachments = Object.entries(lists).map(([ifName, configList]) => {
    return { driver: 'delegate', ifName, networkName: 'any', isDefault: false, requested: {}, args: {}, configList }
  })
  const facts = { version: 1, state: 'added', ifName: 'eth0', netns: '', args: {}, isWholePod: true } as const
  return { ...facts, containerId, pod, attachments }
}

test('pods of one network are one call, whatever the runtime gave each of them', () => {
  const kept = [
    recordOf('c1', { eth1: listOf('blue', { runtimeConfig: { mac: '02:00:00:00:00:01' } }) }),
    recordOf('c2', { eth1: listOf('blue', { runtimeConfig: { mac: '02:00:00:00:00:02' } }), eth2: listOf('red') }),
  ]
  const calls = planGarbage({ networks: recordedNetworks(kept), kept, unrecorded: [] })
  expect(calls.map(({ network, valid }) => [network.configList, valid])).toEqual([
    [
      listOf('blue'),
      [
        { containerId: 'c1', ifName: 'eth1' },
        { containerId: 'c2', ifName: 'eth1' },
      ],
    ],
    [listOf('red'), [{ containerId: 'c2', ifName: 'eth2' }]],
  ])
})

test('two configurations of one name are two calls, and what belongs to either stays', () => {
  const kept = [recordOf('c1', { eth1: listOf('blue') }), recordOf('c2', { eth1: listOf('blue', { mtu: 1400 }) })]
  const calls = planGarbage({ networks: recordedNetworks(kept), kept, unrecorded: [] })
  expect(calls.map(({ valid }) => valid.map(({ containerId }) => containerId))).toEqual([
    ['c1', 'c2'],
    ['c1', 'c2'],
  ])
})

test('a network without any attachment is asked to keep what only the runtime knows', () => {
  const networks = [{ driver: 'delegate', configList: listOf('blue') }]
  const unrecorded = [{ containerId: 'other', ifName: 'eth0' }]
  expect(planGarbage({ networks, kept: [], unrecorded }).map(({ valid }) => valid)).toEqual([unrecorded])
})

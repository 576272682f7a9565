import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createFakeNetwork } from '../../test/contract/fake-driver.ts'
import { emptyResult } from '../cni/result.ts'
import type { AttachRequest } from '../networks/driver.ts'
import { NetworkMeter } from './network-meter.ts'

function requestOf(type: string, networkName: string): AttachRequest {
  const configList = {
    cniVersion: '1.0.0',
    name: 'n',
    plugins: [
      { cniVersion: '1.0.0', name: 'n', type },
      { cniVersion: '1.0.0', name: 'n', type: 'tuning' },
    ],
  }
  const pod = { namespace: 'default', name: 'web', uid: 'u' }
  const request = { containerId: 'c', ifName: 'net1', netns: '/n', pod, args: {}, config: {}, configList, networkName }
  return { ...request, isDefault: false, requested: {} }
}

test('what each network takes and fails is counted by its type and its name', async () => {
  const meter = new NetworkMeter()
  const registry = new Registry()
  for (const metric of meter.metrics) registry.registerMetric(metric)
  const inner = { ...createFakeNetwork({ type: 'first' }).nodeSide }
  const works = meter.measured({ ...inner, attach: async () => emptyResult, detach: async () => {} })
  const fails = meter.measured({
    ...inner,
    attach: async () => emptyResult,
    detach: async () => {
      throw new Error('the switch is busy')
    },
  })
  const signal = new AbortController().signal
  expect(await works.attach(requestOf('first', 'default/a'), signal)).toBe(emptyResult)
  await fails.attach(requestOf('bridge', 'default/b'), signal)
  await expect(fails.detach(requestOf('bridge', 'default/b'), signal)).rejects.toThrow('busy')
  const lines = (await registry.metrics()).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'twinlane_network_operation_duration_seconds_count{operation="attach",type="first"} 1',
      'twinlane_network_operation_duration_seconds_count{operation="attach",type="bridge"} 1',
      'twinlane_network_operation_duration_seconds_count{operation="detach",type="bridge"} 1',
      'twinlane_network_failures_total{operation="detach",type="bridge",network="default/b"} 1',
    ]),
  )
  expect(lines.filter((line) => line.startsWith('twinlane_network_failures_total{'))).toHaveLength(1)
  expect(works.status()).toEqual(inner.status())
})

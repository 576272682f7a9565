import { expect, test } from 'vitest'
import type { PodResource } from '../../../kube/resources/core.ts'
import { selectPod } from './select-pods.ts'

const ours = JSON.stringify({ cniVersion: '0.4.0', name: 'ovn-kubernetes', type: 'ovn-k8s-cni-overlay' })
const nads: Record<string, string> = {
  'default/yusur-ovn': ours,
  'default/again': ours,
  'default/list': JSON.stringify({ cniVersion: '1.0.0', name: 'x', plugins: [{ type: 'twinlane-ovn' }] }),
  'default/bridge': JSON.stringify({ cniVersion: '1.0.0', name: 'b', type: 'bridge' }),
  'default/layer2': JSON.stringify({ cniVersion: '1.0.0', name: 'l', type: 'ovn-k8s-cni-overlay', topology: 'layer2' }),
  'default/refused': JSON.stringify({
    cniVersion: '1.0.0',
    name: 'r',
    type: 'ovn-k8s-cni-overlay',
    ipam: { type: 'x' },
  }),
  'default/broken': '{',
  'default/empty': '',
  'default/typeless': '{}',
}

function answer(networks: string, pod: Partial<{ phase: string; hostNetwork: boolean; nodeName: string }> = {}) {
  const { phase = 'Pending', hostNetwork = false, nodeName = 'n1' } = pod
  const metadata = { name: 'p', namespace: 'default', annotations: { 'k8s.v1.cni.cncf.io/networks': networks } }
  const spec = { containers: [], hostNetwork, ...(nodeName === '' ? {} : { nodeName }) }
  return selectPod({ metadata, spec, status: { phase } } as PodResource, (name, namespace) => {
    const config = nads[`${namespace}/${name}`]
    return config === undefined ? undefined : { metadata: { name, namespace }, spec: { config } }
  })
}

test.each(['yusur-ovn', '[{"name": "yusur-ovn", "interface": "eth1"}]', 'list', 'bridge, yusur-ovn@eth1'])(
  'a pod that names our network gets a port: %s',
  (networks) => {
    expect(answer(networks)).toMatchObject({ wants: 'port', defaultFamilies: [4, 6] })
  },
)

test.each(['', 'bridge', 'layer2'])('a pod gets nothing for %j', (networks) => {
  expect(answer(networks)).toEqual({ wants: 'nothing' })
})

test.each(['[{"name": 5}]', 'unknown', 'broken', 'empty', 'typeless', 'bridge, unknown'])(
  'what a pod asks for with %j cannot be told',
  (networks) => {
    expect(answer(networks)).toEqual({ wants: 'unknown' })
  },
)

test('a network beside ours that is not there does not matter', () => {
  expect(answer('unknown, yusur-ovn')).toMatchObject({ wants: 'port' })
})

test('the comments of the article do not matter', () => {
  const networks = `[{
      "name": "yusur-ovn", #a
      "interface": "eth1", #b
      "default-route": ["10.144.0.1"] #c
    }]`
  expect(answer(networks)).toMatchObject({ wants: 'port', defaultFamilies: [6] })
})

test('an empty default-route asks for no route', () => {
  expect(answer('[{"name": "yusur-ovn", "default-route": []}]')).toMatchObject({ defaultFamilies: [4, 6] })
})

test('a pod that has ended, is on the host network, or has no node gets nothing', () => {
  expect(answer('yusur-ovn', { phase: 'Succeeded' })).toEqual({ wants: 'nothing' })
  expect(answer('yusur-ovn', { phase: 'Failed' })).toEqual({ wants: 'nothing' })
  expect(answer('yusur-ovn', { hostNetwork: true })).toEqual({ wants: 'nothing' })
  expect(answer('yusur-ovn', { nodeName: '' })).toEqual({ wants: 'nothing' })
})

test('twice the same network, and what is not supported, get a reason', () => {
  expect(answer('yusur-ovn,again')).toMatchObject({ wants: 'unknown', reason: expect.stringMatching(/only once/) })
  expect(answer('refused')).toMatchObject({
    wants: 'unknown',
    reason: expect.stringMatching(/addresses come from OVN/),
  })
})

import { describe, expect, it } from 'vitest'
import { parseKubeletConfig } from './config.ts'

const least = { nodeName: 'work01', kubeconfig: '/k', nodeIp: '192.168.122.101', socket: '/s' }

describe('parseKubeletConfig', () => {
  it('fills in the paths of an ordinary node', () => {
    expect(parseKubeletConfig(least)).toMatchObject({
      rootFolder: '/var/lib/kubelet',
      cniBinFolder: '/opt/cni/bin',
      cniConfFolder: '/etc/cni/net.d',
      labels: {},
      taints: [],
    })
  })

  it.each([
    ['nodeIp', { ...least, nodeIp: '300.1.1.1' }],
    ['unknown', { ...least, unknown: 1 }],
    ['taints[0].effect', { ...least, taints: [{ key: 'a', effect: 'Never' }] }],
  ])('names the field %s', (field, raw) => {
    expect(() => parseKubeletConfig(raw)).toThrow(field)
  })
})

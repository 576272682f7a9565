import { describe, expect, it } from 'vitest'
import { formatAlias, hostInterfaceName, parseAlias, podMac } from './names.ts'

describe('names on the host', () => {
  it('are the ones that Calico gives, for eth0', () => {
    // printf default.busybox3 | sha1sum
    expect(hostInterfaceName({ namespace: 'default', name: 'busybox3' }, 'eth0')).toBe('cali0d5af60a6c5')
  })

  it('differ for a second interface of the same pod, and fit', () => {
    const pod = { namespace: 'default', name: 'busybox3' }
    expect(hostInterfaceName(pod, 'net1')).not.toBe(hostInterfaceName(pod, 'eth0'))
    expect(hostInterfaceName(pod, 'net1')).toHaveLength(15)
  })

  it('say in the alias whose they are', () => {
    const addresses = ['10.244.183.250', 'fd00:1234:5678:9abc:def0:1234:5678:9abc']
    const owner = { containerId: 'a'.repeat(64), ifName: 'a-long-name-000', addresses }
    expect(parseAlias(formatAlias(owner))).toEqual(owner)
    expect(formatAlias(owner).length).toBeLessThan(256)
    expect(parseAlias('twinlane-routed c1 eth0 10.244.0.1')?.addresses).toEqual(['10.244.0.1'])
    const floating = { ...owner, addresses: ['10.244.0.1', '10.99.0.1'], floating: ['10.99.0.1'] }
    for (const each of [floating, { ...owner, mac: '02:00:00:00:00:01' }, { ...floating, mac: '02:00:00:00:00:01' }]) {
      expect(parseAlias(formatAlias(each))).toEqual(each)
    }
    expect(parseAlias(undefined)).toBeUndefined()
    expect(parseAlias('somebody else 1 2')).toBeUndefined()
  })
})

describe('podMac', () => {
  it('is the same for the same attachment, local and unicast', () => {
    const mac = podMac({ containerId: 'c1', ifName: 'eth0' })
    expect(mac).toBe(podMac({ containerId: 'c1', ifName: 'eth0' }))
    expect(mac).not.toBe(podMac({ containerId: 'c1', ifName: 'net1' }))
    expect(Number.parseInt(mac.slice(0, 2), 16) & 0x03).toBe(0x02)
  })
})

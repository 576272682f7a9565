import { describe, expect, it } from 'vitest'
import { renderHosts, renderResolvers } from './etc-files.ts'

const facts = {
  hostname: 'busybox3',
  podIps: ['10.244.1.2'],
  namespace: 'default',
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
}

describe('renderHosts', () => {
  it('names the pod and its aliases after the loopback', () => {
    const text = renderHosts(facts, [{ ip: '192.0.2.1', hostnames: ['a', 'b'] }])
    expect(text).toMatch(/^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/)
    expect(text).toContain('10.244.1.2\tbusybox3\n192.0.2.1\ta\tb\n')
  })
})

describe('renderResolvers', () => {
  it('uses the resolver of the cluster with its search list', () => {
    expect(renderResolvers({ containers: [] }, facts, 'nameserver 9.9.9.9\n')).toBe(
      'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
    )
  })

  it('uses those of the node without one, on the network of the node, and where the pod asks for it', () => {
    const node = 'nameserver 9.9.9.9\n'
    expect(renderResolvers({ containers: [] }, { ...facts, clusterDns: [] }, node)).toBe(node)
    expect(renderResolvers({ containers: [], hostNetwork: true }, facts, node)).toBe(node)
    expect(renderResolvers({ containers: [], dnsPolicy: 'Default' }, facts, node)).toBe(node)
  })

  it('adds the settings of the pod', () => {
    const dnsConfig = {
      nameservers: ['1.1.1.1'],
      searches: ['x.y'],
      options: [{ name: 'ndots', value: '1' }, { name: 'edns0' }],
    }
    expect(renderResolvers({ containers: [], dnsPolicy: 'None', dnsConfig }, facts, '')).toBe(
      'nameserver 1.1.1.1\nsearch x.y\noptions ndots:1 edns0\n',
    )
  })
})

import { testReferencePlugins } from './support/reference-plugins.ts'

// Debian's containernetworking-plugins.
testReferencePlugins(() => ({
  folder: '/usr/lib/cni',
  cniVersion: '1.0.0',
  checkMessages: {
    // The bridge plugin looks in the main table for the routes that sbr moved out of it.
    'bridge, then sbr': 'plugin "bridge" failed CHECK: Failed to find Gateway 10.7.0.1',
    // The portmap plugin looks for IPv6 rules too, of which a pod with IPv4 only has none.
    'bridge, then portmap': 'plugin "portmap" failed CHECK: could not check ipv6 dnat',
  },
}))

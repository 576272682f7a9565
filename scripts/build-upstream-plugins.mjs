// Builds the CNI reference plugins of containernetworking/plugins from source, through the Go module proxy:
// node scripts/build-upstream-plugins.mjs DIR. Does nothing when DIR has them all.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

const version = 'v1.9.1'
const plugins = {
  main: ['bridge', 'dummy', 'host-device', 'ipvlan', 'loopback', 'macvlan', 'ptp', 'vlan'],
  meta: ['bandwidth', 'firewall', 'portmap', 'sbr', 'tuning', 'vrf'],
  ipam: ['dhcp', 'host-local', 'static'],
}

const [argument] = process.argv.slice(2)
if (argument === undefined) {
  console.error('usage: build-upstream-plugins.mjs DIR')
  process.exit(2)
}
const folder = resolve(argument)
mkdirSync(folder, { recursive: true })
const missing = Object.entries(plugins).flatMap(([kind, names]) =>
  names.filter((name) => !existsSync(join(folder, name))).map((name) => `${kind}/${name}`),
)
if (missing.length > 0) {
  const packages = missing.map((path) => `github.com/containernetworking/plugins/plugins/${path}@${version}`)
  const env = { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod', CGO_ENABLED: '0' }
  const { status } = spawnSync('go', ['install', '-trimpath', ...packages], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  process.exit(status ?? 1)
}

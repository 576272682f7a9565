import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { ConfigError } from '../base/errors.ts'
import { articleConfig, articleLab } from './article.ts'
import { parseLabConfig, parseLabFile } from './config.ts'

type Raw = Record<string, unknown>

/** The article's lab with one change. */
function changed(change: (raw: typeof articleLab & Raw) => void): () => unknown {
  const raw = structuredClone(articleLab) as typeof articleLab & Raw
  change(raw)
  return () => parseLabConfig(raw)
}

test('the default is the article cluster', () => {
  const config = articleConfig()
  expect(config.nodes.map((node) => node.name)).toEqual(['master01', 'work01', 'work02'])
  expect(config.routed).toMatchObject({ ipPoolCidr: '10.244.0.0/16', blockSize: 24, natOutgoing: true })
  expect(config.ovn).toMatchObject({ svcCidr: '10.96.0.0/16', gatewayInterface: 'ens3', encapType: 'vxlan' })
})

test('examples/article/lab.yaml is the default', () => {
  const text = readFileSync('examples/article/lab.yaml', 'utf8')
  expect(parseLabFile(text, 'lab.yaml')).toEqual(articleConfig())
  expect(parse(text)).not.toBeNull()
})

test('an unknown field is named with its path', () => {
  expect(changed((raw) => Object.assign(raw.fabric, { mtu: 9000 }))).toThrow('fabric.mtu: unknown field')
})

test.each([
  [
    'a pool over a fabric network',
    { routed: { ipPoolCidr: '192.168.0.0/16' } },
    /routed\.ipPoolCidr: 192\.168\.0\.0\/16 overlaps 192\.168\.122\.0\/24/,
  ],
  [
    'the service CIDR over the pool',
    { ovn: { svcCidr: '10.244.4.0/24' } },
    /ovn\.svcCidr: 10\.244\.4\.0\/24 overlaps 10\.244\.0\.0\/16/,
  ],
  ['the OVN network over the services', { ovn: { netCidr: '10.96.0.0/12/24' } }, /overlaps 10\.9?/],
  [
    'the pool over the join network',
    { routed: { ipPoolCidr: '100.64.0.0/12' } },
    /routed\.ipPoolCidr: 100\.64\.0\.0\/12 overlaps 100\.64\.0\.0\/16 \(OVN's join/,
  ],
  [
    'the pool over the masquerade network',
    { routed: { ipPoolCidr: '169.254.0.0/16' } },
    /overlaps 169\.254\.169\.0\/29/,
  ],
])('%s is refused', (_, part, message) => {
  expect(changed((raw) => Object.assign(raw, part))).toThrow(message)
})

test('an address used twice names both places', () => {
  const twice = changed((raw) => {
    raw.nodes[2]!.addresses.ens2 = '192.168.100.101'
  })
  expect(twice).toThrow('nodes[2].addresses.ens2: 192.168.100.101 is used twice, by nodes[1].addresses.ens2 too')
})

test('a node may not take the router’s address', () => {
  const taken = changed((raw) => {
    raw.nodes[0]!.addresses.ens1 = '192.168.122.1'
  })
  expect(taken).toThrow('used twice, by fabric.networks[0].router')
})

test('an address outside its network is refused', () => {
  const outside = changed((raw) => {
    raw.nodes[1]!.addresses.ens3 = '192.168.201.7'
  })
  expect(outside).toThrow('nodes[1].addresses.ens3: 192.168.201.7 is outside 192.168.200.0/24')
})

test('a missing address of a node is refused', () => {
  expect(changed((raw) => Object.assign(raw.nodes[1]!, { addresses: { ens1: '192.168.122.7' } }))).toThrow(
    'nodes[1].addresses.ens2: work01 has no address on 192.168.100.0/24',
  )
})

test('an interface name of more than 15 characters is refused', () => {
  const long = changed((raw) => {
    raw.fabric.networks[0]!.interface = 'enp0s31f6np0v123'
  })
  expect(long).toThrow('"enp0s31f6np0v123" has 16 characters, Linux allows 15')
})

test('no control plane is refused, as is one that is no node', () => {
  expect(changed((raw) => Object.assign(raw, { controlPlane: undefined }))).toThrow('controlPlane: no control plane')
  expect(changed((raw) => Object.assign(raw, { controlPlane: 'x' }))).toThrow('none of the nodes master01, work01')
})

test('the gateway next hop must be on the gateway interface’s network', () => {
  expect(changed((raw) => Object.assign(raw, { ovn: { gatewayNextHop: '192.168.122.1' } }))).toThrow(
    'ovn.gatewayNextHop: 192.168.122.1 is outside 192.168.200.0/24',
  )
})

test('two nodes of one name are refused', () => {
  expect(changed((raw) => Object.assign(raw.nodes[2]!, { name: 'work01' }))).toThrow(
    'nodes[2].name: "work01" is the name of nodes[1] too',
  )
})

test('what is not YAML names the file and the place', () => {
  expect(() => parseLabFile('a: [', 'my/lab.yaml')).toThrow(/^my\/lab\.yaml: not YAML/)
  expect(() => parseLabFile('', 'lab.yaml')).toThrow(ConfigError)
})

test('an error about a value carries a fix', () => {
  const error = catchError(changed((raw) => Object.assign(raw, { management: 'ens9' })))
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).fix).toMatch(/fabric\.networks/)
})

function catchError(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

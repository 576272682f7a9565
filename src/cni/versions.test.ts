import { describe, expect, test } from 'vitest'
import { resultFromVersion } from './read-result.ts'
import type { CniResult } from './result.ts'
import { compareVersions, resultToVersion, supportedVersions } from './versions.ts'

const full: CniResult = {
  interfaces: [
    { name: 'cali1' },
    { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1500, sandbox: '/run/netns/x', pciID: '0000:00:01.0' },
  ],
  ips: [
    { address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 1 },
    { address: 'fd00::2/64', interface: 0 },
  ],
  routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1', priority: 5 }, { dst: '::/0' }],
  dns: { nameservers: ['10.96.0.10'] },
}

describe('results', () => {
  test('1.1.0 keeps everything, there and back', () => {
    expect(resultFromVersion(resultToVersion(full, '1.1.0'))).toEqual(full)
  })

  test('1.0.0 has no mtu and no route priority', () => {
    const result = resultToVersion(full, '1.0.0')
    expect(result.interfaces).toEqual([
      { name: 'cali1' },
      { name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/x' },
    ])
    expect(result.routes).toEqual([{ dst: '0.0.0.0/0', gw: '10.0.0.1' }, { dst: '::/0' }])
    expect(result.ips).toEqual(full.ips)
  })

  test.each(['0.3.0', '0.3.1', '0.4.0'])('%s names the family of each address', (version) => {
    const result = resultToVersion(full, version)
    expect(result.cniVersion).toBe(version)
    expect(result.ips).toEqual([
      { version: '4', address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 1 },
      { version: '6', address: 'fd00::2/64', interface: 0 },
    ])
    expect(resultFromVersion(result).ips).toEqual(full.ips)
  })

  test.each(['0.1.0', '0.2.0'])('%s has one address a family with its routes', (version) => {
    const result = resultToVersion(full, version)
    expect(result).toEqual({
      cniVersion: version,
      ip4: { ip: '10.0.0.2/24', gateway: '10.0.0.1', routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }] },
      ip6: { ip: 'fd00::2/64', routes: [{ dst: '::/0' }] },
      dns: full.dns,
    })
    expect(resultFromVersion(result)).toEqual({
      interfaces: [],
      ips: [{ address: '10.0.0.2/24', gateway: '10.0.0.1' }, { address: 'fd00::2/64' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }, { dst: '::/0' }],
      dns: full.dns,
    })
  })

  test('a result without an address cannot be told in 0.2.0', () => {
    expect(() => resultToVersion({ ...full, ips: [] }, '0.2.0')).toThrow('cannot be told in CNI 0.2.0')
  })

  test('a result of the address management alone has no interfaces', () => {
    expect(resultFromVersion({ cniVersion: '1.0.0', ips: [{ address: '10.0.0.2/24' }] })).toEqual({
      interfaces: [],
      ips: [{ address: '10.0.0.2/24' }],
      routes: [],
      dns: {},
    })
  })
})

test('versions are ordered', () => {
  expect([...supportedVersions].toSorted(compareVersions)).toEqual(supportedVersions)
  expect(() => compareVersions('2.0.0', '1.0.0')).toThrow('"2.0.0" is not supported')
})

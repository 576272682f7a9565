import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { exec } from '../../src/base/exec.ts'
import type { BgpProtocol, BirdConfig } from '../../src/bird/config.ts'
import { initialBirdConfig } from '../../src/bird/daemon.ts'
import { renderBirdConfig } from '../../src/bird/render.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bird-'))
})

afterEach(() => rm(folder, { recursive: true, force: true }))

/** Has the real BIRD read it. */
async function parse(text: string): Promise<void> {
  const file = join(folder, 'bird.conf')
  await writeFile(file, text)
  await exec('bird', ['-p', '-c', file])
}

const plain: BgpProtocol = {
  protocol: 'bgp',
  name: 'Node_192_168_100_101',
  localAddress: '192.168.100.10',
  localAsNumber: 63400,
  neighborAddress: '192.168.100.101',
  neighborPort: 179,
  neighborAsNumber: 63400,
  isPassive: false,
  exportFilter: 'twinlane_test',
  timers: {
    holdSeconds: 30,
    keepaliveSeconds: 10,
    connectDelaySeconds: 1,
    connectRetrySeconds: 5,
    errorWaitSeconds: [1, 30],
  },
}

const everything: BgpProtocol = {
  ...plain,
  name: 'Mesh_192_168_100_102',
  // Texts that are nearly syntax.
  description: '# not a comment; { }',
  localPort: 178,
  neighborPort: 177,
  isPassive: true,
  routeReflectorClusterId: '192.168.100.10',
  allowedLocalAsNumbers: 2,
  gracefulRestartSeconds: 90,
  password: "pass'word # {",
  isBindStrict: true,
}

const external: BgpProtocol = {
  ...plain,
  name: 'Global_192_168_100_1',
  neighborAddress: '192.168.100.1',
  neighborAsNumber: 65000,
  ttlSecurityHops: 2,
  nextHop: 'keep',
}

const { localAddress: _, ...plainFromAnywhere } = plain
const fromAnywhere: BgpProtocol = { ...plainFromAnywhere, name: 'Node_192_168_100_103' }

const ipv6: BgpProtocol = {
  ...plain,
  name: 'Node_fd00_100__101',
  localAddress: 'fd00:100::10',
  neighborAddress: 'fd00:100::101',
  localPort: 1179,
  importFilter: 'twinlane_test',
  nextHop: 'self',
  usesBfd: true,
}

function config(change: Partial<BirdConfig> = {}): BirdConfig {
  return {
    routerId: '192.168.100.10',
    log: {
      target: 'stderr',
      classes: ['debug', 'trace', 'info', 'remote', 'warning', 'error', 'auth', 'fatal', 'bug'],
    },
    gracefulRestartWaitSeconds: 15,
    filters: [
      {
        name: 'twinlane_test',
        otherwise: 'reject',
        terms: [
          {
            conditions: [{ networks: [{ cidr: '10.244.1.0/24', match: 'exact' }] }],
            action: 'accept',
            comment: 'a\nb',
          },
          { conditions: [{ networks: [{ cidr: '10.244.1.0/24', match: 'longer' }] }], action: 'reject' },
          { conditions: [{ networks: [{ cidr: '10.244.0.0/16', match: 'covered' }] }], action: 'accept' },
          { conditions: [{ networks: [] }], action: 'accept' },
          { conditions: [{ source: 'device' }], action: 'reject' },
          { conditions: [{ source: 'static' }], action: 'accept' },
          { conditions: [{ source: 'bgp' }, { interface: 'eth*' }], action: 'accept' },
          {
            conditions: [{ networks: [{ cidr: '10.0.0.0/8', match: 'covered' }], isNegated: true }],
            action: { addCommunities: ['65000:100', '4200000000:1:2'] },
          },
          {
            conditions: [{ networks: [{ cidr: 'fd00::/8', match: { shortest: 48, longest: 64 } }] }],
            action: 'accept',
          },
          { conditions: [{ isFrom: 'held4' }], action: 'reject' },
          { conditions: [], action: 'reject' },
        ],
      },
    ],
    protocols: [
      { protocol: 'device', scanSeconds: 2 },
      { protocol: 'direct', name: 'direct4', family: 4, exceptInterfaces: ['cali*', 'kube-ipvs*'] },
      { protocol: 'kernel', name: 'kernel4', family: 4, scanSeconds: 2, exportFilter: 'twinlane_test' },
      { protocol: 'static', name: 'static_empty', family: 4, routes: [] },
      {
        protocol: 'static',
        name: 'static4',
        family: 4,
        routes: [
          { cidr: '10.244.1.0/24', via: 'blackhole' },
          { cidr: '203.0.113.9/32', via: { gateways: ['192.168.100.1'] } },
        ],
      },
      { protocol: 'direct', name: 'direct6', family: 6, exceptInterfaces: ['cali*'] },
      { protocol: 'kernel', name: 'kernel6', family: 6, scanSeconds: 2, exportFilter: 'twinlane_test' },
      {
        protocol: 'static',
        name: 'static6',
        family: 6,
        routes: [
          { cidr: 'fd00:10:244::/122', via: 'blackhole' },
          { cidr: '2001:db8::9/128', via: { gateways: ['fd00:100::1'] } },
        ],
      },
      {
        protocol: 'static',
        name: 'held4',
        family: 4,
        preference: 1,
        routes: [{ cidr: '10.244.7.0/24', via: { gateways: ['192.168.100.1', '192.168.100.2'] } }],
      },
      { protocol: 'bfd', name: 'bfd1', intervalMs: 100, multiplier: 3 },
      plain,
      everything,
      external,
      fromAnywhere,
      ipv6,
    ],
    ...change,
  }
}

describe('the real BIRD', () => {
  it('reads every part of the configuration that we can write', async () => {
    await parse(renderBirdConfig(config()))
  })

  it('reads the first configuration of a node', async () => {
    await parse(initialBirdConfig('192.168.100.10'))
  })

  it('would have complained about a mistake', async () => {
    await expect(parse(renderBirdConfig(config({ filters: [] })))).rejects.toThrow(/bird.conf:\d+/)
  })
})

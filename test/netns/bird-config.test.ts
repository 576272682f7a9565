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
}

const external: BgpProtocol = {
  ...plain,
  name: 'Global_192_168_100_1',
  neighborAddress: '192.168.100.1',
  neighborAsNumber: 65000,
  ttlSecurityHops: 2,
  keepsNextHop: true,
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
          { networks: [{ cidr: '10.244.1.0/24', match: 'exact' }], action: 'accept', comment: 'a\nb' },
          { networks: [{ cidr: '10.244.1.0/24', match: 'longer' }], action: 'reject' },
          { networks: [{ cidr: '10.244.0.0/16', match: 'covered' }], action: 'accept' },
          { networks: [], action: 'accept' },
          { source: 'device', action: 'reject' },
          { source: 'static', action: 'accept' },
          { source: 'bgp', action: 'accept' },
        ],
      },
    ],
    protocols: [
      { protocol: 'device', scanSeconds: 2 },
      { protocol: 'direct', name: 'direct4', exceptInterfaces: ['cali*', 'kube-ipvs*'] },
      { protocol: 'kernel', name: 'kernel4', scanSeconds: 2, exportFilter: 'twinlane_test' },
      { protocol: 'static', name: 'static_empty', routes: [] },
      {
        protocol: 'static',
        name: 'static4',
        routes: [
          { cidr: '10.244.1.0/24', via: 'blackhole' },
          { cidr: '203.0.113.9/32', via: { gateway: '192.168.100.1' } },
        ],
      },
      plain,
      everything,
      external,
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

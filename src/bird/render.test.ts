import { describe, expect, it } from 'vitest'
import type { BgpProtocol, BirdConfig } from './config.ts'
import { birdArguments, initialBirdConfig } from './daemon.ts'
import { BirdError } from './errors.ts'
import { renderBirdConfig } from './render.ts'

const session: BgpProtocol = {
  protocol: 'bgp',
  name: 'Node_192_168_100_101',
  localAddress: '192.168.100.10',
  localAsNumber: 63400,
  neighborAddress: '192.168.100.101',
  neighborPort: 179,
  neighborAsNumber: 63400,
  isPassive: false,
  routeReflectorClusterId: '192.168.100.10',
  exportFilter: 'twinlane_export',
  timers: {
    holdSeconds: 30,
    keepaliveSeconds: 10,
    connectDelaySeconds: 1,
    connectRetrySeconds: 5,
    errorWaitSeconds: [1, 30],
  },
}

const config: BirdConfig = {
  routerId: '192.168.100.10',
  log: { target: 'stderr', classes: ['warning', 'error'] },
  gracefulRestartWaitSeconds: 15,
  filters: [
    {
      name: 'twinlane_export',
      otherwise: 'reject',
      terms: [
        {
          conditions: [{ networks: [{ cidr: '10.244.1.0/24', match: 'exact' }] }],
          action: 'accept',
          comment: 'own blocks',
        },
        { conditions: [{ networks: [{ cidr: '10.244.1.0/24', match: 'longer' }] }], action: 'reject' },
        { conditions: [{ networks: [{ cidr: '10.244.0.0/16', match: 'covered' }] }], action: 'accept' },
        { conditions: [{ networks: [] }], action: 'accept' },
      ],
    },
  ],
  protocols: [
    { protocol: 'device', scanSeconds: 2 },
    { protocol: 'direct', name: 'direct4', family: 4, exceptInterfaces: ['cali*'] },
    { protocol: 'static', name: 'blocks4', family: 4, routes: [{ cidr: '10.244.1.0/24', via: 'blackhole' }] },
    { protocol: 'kernel', name: 'kernel4', family: 4, scanSeconds: 2, exportFilter: 'twinlane_export' },
    session,
  ],
}

function withSession(change: Partial<BgpProtocol>): string {
  return renderBirdConfig({ ...config, protocols: [{ ...session, ...change }] })
}

describe('renderBirdConfig', () => {
  it('writes the three kinds of network pattern', () => {
    const text = renderBirdConfig(config)
    expect(text).toContain('if net ~ [ 10.244.1.0/24 ] then accept;')
    expect(text).toContain('if net ~ [ 10.244.1.0/24{25,32} ] then reject;')
    expect(text).toContain('if net ~ [ 10.244.0.0/16+ ] then accept;')
  })

  it('leaves out a term that names no network, because an empty set is a syntax error', () => {
    expect(renderBirdConfig(config)).not.toContain('[  ]')
  })

  it('writes a reflector client with its cluster ID', () => {
    expect(withSession({})).toMatch(/rr client;\n {2}rr cluster id 192\.168\.100\.10;/)
  })

  it('refuses what would break out of a text', () => {
    expect(() => withSession({ description: 'a"; } include "/etc/shadow' })).toThrow(BirdError)
    expect(() => withSession({ password: 'two\nlines' })).toThrow(BirdError)
    expect(() => withSession({ name: "x' { }" })).toThrow(BirdError)
    expect(() => withSession({ neighborAddress: '10.0.0.1 as 1' })).toThrow(BirdError)
  })

  it('does not put the password into the message of a refusal', () => {
    expect(() => withSession({ password: 'geheim"' })).not.toThrow(/geheim/)
  })

  it('refuses a prefix with host bits', () => {
    const routes = [{ cidr: '10.244.1.7/24', via: 'blackhole' as const }]
    expect(() =>
      renderBirdConfig({ ...config, protocols: [{ protocol: 'static', name: 's', family: 4, routes }] }),
    ).toThrow('10.244.1.0/24')
  })

  it('gives equal text for equal models', () => {
    expect(renderBirdConfig(structuredClone(config))).toBe(renderBirdConfig(config))
  })
})

describe('what starts BIRD', () => {
  it('runs in the foreground on the default paths', () => {
    expect(birdArguments()).toEqual(['-f', '-R', '-c', '/etc/bird/bird.conf', '-s', '/run/bird/bird.ctl'])
  })

  it('gives a first configuration without sessions', () => {
    expect(initialBirdConfig('192.168.100.10')).toContain('router id 192.168.100.10;')
    expect(initialBirdConfig('192.168.100.10')).not.toContain('bgp')
  })
})

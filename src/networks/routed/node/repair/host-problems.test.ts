import { describe, expect, it } from 'vitest'
import { hostMac } from '../names.ts'
import { hostRoute } from '../wiring.ts'
import { type HostState, hostProblems, settingsOf } from './host-problems.ts'

const name = 'cali0123456789a'
const owner = { containerId: 'abc', ifName: 'eth0', addresses: ['10.244.1.7', 'fd00::7'] }
const right: HostState = {
  link: {
    index: 7,
    name,
    kind: 'veth',
    mac: hostMac,
    mtuBytes: 1500,
    isUp: true,
    group: 0,
    alias: '',
    linkIndex: 2,
    masterIndex: undefined,
  },
  routes: [
    ...owner.addresses.map((address) => hostRoute(name, address)),
    { family: 6, destination: 'fe80::/64', device: name, protocol: 2, metric: 256 },
  ],
  addresses: [{ linkIndex: 7, family: 6, address: 'fe80::ecee:eeff:feee:eeee', prefixLength: 64 }],
  settings: new Map(settingsOf(name, owner).map(({ key, value }) => [key, value])),
}

function problems(change: Partial<HostState>): string[] {
  return hostProblems(owner, { ...right, ...change }).map(({ what }) => what)
}

describe('hostProblems', () => {
  it('finds nothing wrong with what was made', () => {
    expect(problems({})).toEqual([])
  })

  it.each([
    ['down', { link: { ...right.link, isUp: false } }, ['down']],
    ['another MAC', { link: { ...right.link, mac: '02:00:00:00:00:01' } }, ['MAC address 02:00:00:00:00:01']],
    ['no IPv4 route', { routes: right.routes.slice(1) }, ['no route to 10.244.1.7/32']],
    ['no gateway address', { addresses: [] }, ['no fe80::ecee:eeff:feee:eeee']],
    [
      'a route to another pod',
      { routes: [...right.routes, hostRoute(name, '10.244.1.8')] },
      ['a route to 10.244.1.8/32'],
    ],
    [
      'a setting',
      { settings: new Map([...right.settings, [`net/ipv4/conf/${name}/proxy_arp`, '0']]) },
      [`net/ipv4/conf/${name}/proxy_arp=0`],
    ],
    ['a setting that the kernel does not have', { settings: new Map() }, []],
  ])('%s', (_, change, expected) => {
    expect(problems(change)).toEqual(expected)
  })

  it('sets the interface up before it routes to it', () => {
    const found = hostProblems(owner, { ...right, link: { ...right.link, isUp: false }, routes: [] })
    expect(found.flatMap(({ operations }) => operations.map(({ op }) => op))).toEqual([
      'setLink',
      'ensureAddress',
      'ensureRoute',
      'ensureRoute',
    ])
  })
})

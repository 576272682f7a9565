import { describe, expect, it } from 'vitest'
import { buildElementChange } from './build-senders.ts'
import { elementsOf, sendersOf } from './elements.ts'
import { elementNames, parseSenders } from './read-senders.ts'

const mac = '02:aa:bb:cc:dd:ee'

describe('sendersOf', () => {
  it.each([
    ['of a pod', 'twinlane-routed c1 eth0 10.244.0.7 - 02:aa:bb:cc:dd:ee', ['10.244.0.7']],
    ['without floating addresses', `twinlane-routed c1 eth0 10.244.0.7,10.9.9.9 10.9.9.9 ${mac}`, ['10.244.0.7']],
    ['not of an interface that does not say its MAC address', 'twinlane-routed c1 eth0 10.244.0.7', undefined],
    ['not of what is not ours', 'something else', undefined],
  ])('%s', (_, alias, addresses) => {
    const expected = addresses === undefined ? [] : [{ device: '7', mac, addresses }]
    expect(sendersOf([{ name: 'cali1', index: 7, alias }])).toEqual(expected)
  })
})

describe('elementsOf', () => {
  it('allows a pod its addresses, its link-local one, and to ask whether one is free', () => {
    expect([...elementNames([{ device: '7', mac, addresses: ['10.244.0.7', 'fd00::7'] }])]).toEqual([
      'inet known 7',
      `inet sources4 7 ${mac} 10.244.0.7`,
      `inet sources6 7 ${mac} fd00::7`,
      `inet sources6 7 ${mac} fe80::aa:bbff:fecc:ddee`,
      `inet sources6 7 ${mac} ::`,
      'arp known 7',
      `arp claims 7 ${mac} ${mac} 10.244.0.7`,
      `arp claims 7 ${mac} ${mac} 0.0.0.0`,
    ])
  })

  it.each([
    ['IPv6', '10.244.0.7', ['known', 'sources4', 'known', 'claims']],
    ['IPv4', 'fd00::7', ['known', 'sources6', 'known']],
  ])('allows nothing of %s to a pod without it', (_, address, sets) => {
    expect(elementsOf({ device: '7', mac, addresses: [address] }).map(({ set }) => set)).toEqual(sets)
  })
})

describe('parseSenders', () => {
  const set = (family: string, name: string, elem: unknown[]) => ({ set: { family, name, handle: 3, elem } })
  const rule = (packets: number) => ({ rule: { handle: packets, expr: [{ counter: { packets, bytes: 9 } }] } })

  it('reads what was written, by names of devices that are there and numbers of those that are gone', () => {
    const lists = [
      set('inet', 'known', ['cali1', '9']),
      set('inet', 'sources6', [{ concat: ['cali1', mac, 'fd00:0::7'] }]),
    ]
    expect([...parseSenders(lists, [{ name: 'cali1', index: 7 }]).elements]).toEqual([
      'inet known 7',
      'inet known 9',
      `inet sources6 7 ${mac} fd00::7`,
    ])
  })

  it('takes tables for equal whose counters, handles and elements differ', () => {
    const one = parseSenders([set('inet', 'known', []), rule(1)], [])
    const other = parseSenders([set('inet', 'known', ['5']), rule(2)], [])
    expect(one.rules).toEqual(other.rules)
    expect(parseSenders([set('arp', 'known', []), rule(1)], []).rules).not.toEqual(one.rules)
  })
})

it('buildElementChange says it in the words of nft', () => {
  expect(buildElementChange('delete', ['inet known 7', `arp claims 7 ${mac} ${mac} 10.0.0.1`])).toBe(
    `delete element inet twinlane-senders known { 7 }\ndelete element arp twinlane-senders claims { 7 . ${mac} . ${mac} . 10.0.0.1 }\n`,
  )
})

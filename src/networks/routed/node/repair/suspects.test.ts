import { describe, expect, it } from 'vitest'
import type { Address, KernelEvent, Link } from '../../../../kernel/kernel.ts'
import { hostMac } from '../names.ts'
import { Suspects } from './suspects.ts'

const name = 'cali0123456789a'
const alias = 'twinlane-routed abc eth0 10.244.1.7'
const link: Link = {
  index: 7,
  name,
  kind: 'veth',
  mac: hostMac,
  mtuBytes: 1500,
  isUp: true,
  group: 0,
  alias,
  linkIndex: 2,
  masterIndex: undefined,
}

function linkEvent(change: Partial<Link> = {}, action: 'new' | 'delete' = 'new'): KernelEvent {
  return { kind: 'link', action, object: { ...link, ...change } }
}

function routeEvent(action: 'new' | 'delete', destination = '10.244.1.7/32', protocol = 3): KernelEvent {
  return { kind: 'route', action, object: { family: 4, destination, device: name, scope: 253, protocol } }
}

function settingsEvent(values: object): KernelEvent {
  return { kind: 'settings', action: 'new', object: { family: 4, device: name, ...values } }
}

const gateway: Address = { linkIndex: 7, family: 6, address: 'fe80::ecee:eeff:feee:eeee', prefixLength: 64 }
const gatewayGone: KernelEvent = { kind: 'address', action: 'delete', object: gateway }
const dual = linkEvent({ alias: 'twinlane-routed abc eth0 10.244.1.7,fd00::7 - 02:00:00:00:00:01' })

function suspectedAfter(...events: KernelEvent[]): boolean {
  const suspects = new Suspects()
  for (const event of events) suspects.note(event)
  return suspects.has(name)
}

describe('an interface is suspected', () => {
  it.each([
    ['when it is set down', [linkEvent(), linkEvent({ isUp: false })]],
    ['when its MAC address is another', [linkEvent(), linkEvent({ mac: '02:00:00:00:00:01' })]],
    ['when its route goes', [linkEvent(), routeEvent('delete')]],
    ['when a route comes that leads to another address', [linkEvent(), routeEvent('new', '10.244.1.8/32')]],
    ['when proxy ARP is turned off', [linkEvent(), settingsEvent({ hasProxyArp: false })]],
    ["when its IPv6 gateway's address goes", [dual, gatewayGone]],
    ['when forwarding of IPv6 is turned off', [dual, settingsEvent({ family: 6, isForwarding: false })]],
    ['when forwarding is turned off', [linkEvent(), settingsEvent({ isForwarding: false })]],
    ['when the reverse path filter is loosened', [linkEvent(), settingsEvent({ rpFilter: 2 })]],
    [
      'as long as one thing is wrong, though another is right again',
      [linkEvent(), settingsEvent({ hasProxyArp: false }), settingsEvent({ isForwarding: true }), routeEvent('new')],
    ],
  ])('%s', (_, events) => {
    expect(suspectedAfter(...events)).toBe(true)
  })
})

describe('an interface is not suspected', () => {
  it.each([
    [
      'by the events of the ADD that made it',
      [
        linkEvent({ alias: undefined, isUp: false, mac: '02:00:00:00:00:01' }),
        settingsEvent({ isForwarding: false, hasProxyArp: false, rpFilter: 0 }),
        settingsEvent({ hasProxyArp: true }),
        linkEvent(),
        routeEvent('new'),
      ],
    ],
    ['when it goes with its pod', [linkEvent(), linkEvent({ isUp: false }), linkEvent({}, 'delete')]],
    ["by the gateway's address of a family that its pod does not have", [linkEvent(), gatewayGone]],
    [
      'by settings of a family that its pod does not have',
      [linkEvent(), settingsEvent({ family: 6, isForwarding: false, hasProxyArp: false })],
    ],
    ['by what the kernel routes itself', [linkEvent(), routeEvent('new', '169.254.0.0/16', 2)]],
    ['when a stray route goes', [linkEvent(), routeEvent('new', '10.9.9.9/32'), routeEvent('delete', '10.9.9.9/32')]],
    ['when somebody has put it right meanwhile', [linkEvent(), routeEvent('delete'), routeEvent('new')]],
    ['when it is nobody of ours', [linkEvent({ alias: 'mine', isUp: false }), routeEvent('delete')]],
  ])('%s', (_, events) => {
    expect(suspectedAfter(...events)).toBe(false)
  })
})

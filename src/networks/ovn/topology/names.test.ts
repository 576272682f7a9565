import { expect, test } from 'vitest'
import { familiesOf, hashedName, joinAddress, joinInterface, linkLocalOf, macOf, nodeSubnet } from './names.ts'

test('a MAC is 0a:58 and the bytes of the address, as in the article', () => {
  expect(macOf('10.144.0.31')).toBe('0a:58:0a:90:00:1f')
  expect(macOf('100.64.0.1')).toBe('0a:58:64:40:00:01')
})

test('.1 of a node subnet is the router, .2 the management port', () => {
  expect(nodeSubnet('10.144.3.0/24')).toMatchObject({
    gateway: '10.144.3.1',
    management: '10.144.3.2',
    prefixLength: 24,
  })
})

test('join addresses go on past an octet', () => {
  expect([joinAddress(1, 4), joinAddress(256, 4)]).toEqual(['100.64.0.1', '100.64.1.0'])
  expect(joinInterface(3, 6)).toBe('fd98::3/64')
})

test('row names are FNV-1a of the primary id', () => {
  // Test vectors of the algorithm: the empty text and "a".
  expect(hashedName('')).toBe('a14695981039346656037')
  expect(hashedName('a')).toBe(`a${0xaf63dc4c8601ec8cn}`)
})

test('the link-local address of a MAC has its bytes around ff:fe, and one bit turned', () => {
  expect(linkLocalOf('0a:58:0a:90:00:01')).toBe('fe80::858:aff:fe90:1')
})

test('families are told of addresses and prefixes alike, IPv4 first', () => {
  expect(familiesOf(['fd01::/48', '10.144.0.5/24', 'fd02::1'])).toEqual([4, 6])
  expect(familiesOf([])).toEqual([])
})

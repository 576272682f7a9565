import { expect, it } from 'vitest'
import { findAddressDoubts } from './address-doubts.ts'
import type { DetectedAddress } from './detect-address.ts'

const found = (interfaceName: string, address: string): DetectedAddress => ({
  interfaceName,
  address,
  prefixLength: 24,
  because: '',
})
const ens2 = found('ens2', '192.168.100.10')
const ens224 = found('ens224', '10.1.1.1')

it('points out an interface= that is not anchored, with the name that is meant', () => {
  expect(findAddressDoubts('interface=ens2', ens224, [ens224, ens2])).toEqual([
    'interface=ens2 fits ens2 as well as ens224, whose 10.1.1.1 is taken: name the one that is meant, e.g. interface=^ens2$',
  ])
})

it('points out a first-found that has a choice', () => {
  expect(findAddressDoubts('', ens224, [ens224, ens2])[0]).toMatch(/^first-found fits ens2 as well as ens224/)
})

it('says nothing of one interface with several addresses, nor of methods that name the address', () => {
  expect(findAddressDoubts('interface=ens2', ens2, [ens2, found('ens2', '192.168.100.11')])).toEqual([])
  expect(findAddressDoubts('cidr=10.0.0.0/8,192.168.0.0/16', ens224, [ens224, ens2])).toEqual([])
  expect(findAddressDoubts('can-reach=10.1.1.9', ens224, [ens224])).toEqual([])
})

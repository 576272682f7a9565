import { expect, test } from 'vitest'
import { assignRouting } from './assign-routing.ts'

const prefixes = {
  pods: ['10.244.0.0/16'],
  services: ['10.96.0.0/16'],
  nodes: ['192.0.2.11/32', '192.0.2.12/32'],
}
const conf = { name: 'twinlane', type: 'twinlane' }

function attachment(ifName: string, plugin: object = {}) {
  const configList = {
    cniVersion: '1.0.0',
    name: ifName,
    plugins: [{ cniVersion: '1.0.0', name: ifName, type: 'x', ...plugin }],
  }
  return { ifName, networkName: `default/${ifName}`, isDefault: ifName === 'eth0', configList }
}

test('tables stay when an attachment goes, and a later one takes none that is in use', () => {
  const [eth0, , eth2] = assignRouting([attachment('eth0'), attachment('eth1'), attachment('eth2')], { conf, prefixes })
  if (eth0 === undefined || eth2 === undefined) throw new Error('nothing assigned')
  const later = assignRouting([eth0, eth2, attachment('eth3'), attachment('eth4')], { conf, prefixes })
  expect(later.map(({ routing }) => routing.table)).toEqual([1000, 1002, 1001, 1003])
})

test('words stand for the prefixes of the cluster', () => {
  const [first] = assignRouting([attachment('eth1', { keepOnDefaultNetwork: ['services', 'nodes', '10.9.1.1/16'] })], {
    conf,
    prefixes,
  })
  expect(first?.routing.keep).toEqual(['10.96.0.0/16', '192.0.2.11/32', '192.0.2.12/32', '10.9.0.0/16'])
})

test("a network's own key wins over the plan's, which holds for all others, and never for the default network", () => {
  const plan = { ...conf, keepOnDefaultNetwork: ['pods'] }
  const all = [attachment('eth0'), attachment('eth1'), attachment('eth2', { keepOnDefaultNetwork: [] })]
  expect(assignRouting(all, { conf: plan, prefixes }).map(({ routing }) => routing.keep)).toEqual([
    [],
    ['10.244.0.0/16'],
    [],
  ])
})

test.each([['services'], [['servcies']], [[7]]])('%j is refused with the key and what may be written', (value) => {
  expect(() => assignRouting([attachment('eth1', { takeFromDefaultNetwork: value })], { conf, prefixes })).toThrow(
    'network "default/eth1" (eth1): takeFromDefaultNetwork has',
  )
})

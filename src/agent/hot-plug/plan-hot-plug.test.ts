import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NetworkSelection } from '../../kube/resources/network-selection.ts'
import { NetworkSelectionError } from '../../meta/select/error.ts'
import { type Plugged, planHotPlug } from './plan-hot-plug.ts'

const eth0: Plugged = { ifName: 'eth0' }

function select(name: string, more: Partial<NetworkSelection> = {}): NetworkSelection {
  return { namespace: 'default', name, ...more }
}

function apply(recorded: readonly Plugged[], selections: readonly NetworkSelection[]): Plugged[] {
  const { keep, attach } = planHotPlug(recorded, selections)
  return [...keep, ...attach]
}

test('what an annotation adds is named by its place, as Multus does', () => {
  const before = apply([eth0], [select('a')])
  expect(planHotPlug(before, [select('a'), select('b')])).toMatchObject({ detach: [], attach: [{ ifName: 'net2' }] })
})

test('an interface without a name keeps the one that it got when another goes before it', () => {
  const before = apply([eth0], [select('a'), select('b')])
  const plan = planHotPlug(before, [select('b')])
  expect(plan.keep.map(({ ifName }) => ifName)).toEqual(['eth0', 'net2'])
  expect(plan.detach.map(({ ifName }) => ifName)).toEqual(['net1'])
  expect(plan.attach).toEqual([])
})

test('an interface that asks for another address is made anew under its name', () => {
  const before = apply([eth0], [select('a', { interface: 'eth1' })])
  const plan = planHotPlug(before, [select('a', { interface: 'eth1', ips: ['10.144.0.9/24'] })])
  expect(plan.detach).toEqual([before[1]])
  expect(plan.attach).toMatchObject([{ ifName: 'eth1' }])
})

test('of two that are alike the one without a name stays when the named one goes', () => {
  const before = apply([eth0], [select('a', { interface: 'eth1' }), select('a')])
  expect(planHotPlug(before, [select('a')]).keep.map(({ ifName }) => ifName)).toEqual(['eth0', 'net2'])
})

test('one without a name never takes the place of its named twin', () => {
  const before = apply([eth0], [select('a', { interface: 'eth1' })])
  const plan = planHotPlug(before, [select('a'), select('a', { interface: 'eth1' })])
  expect(plan).toMatchObject({ keep: before, detach: [], attach: [{ ifName: 'net1' }] })
})

test('the interface of the default network cannot be asked for', () => {
  expect(() => planHotPlug([eth0], [select('a', { interface: 'eth0' })])).toThrow(NetworkSelectionError)
})

test('an interface that could not be taken away counts no more, and nothing gets its name', () => {
  const stuck: Plugged = { ifName: 'net1', selection: select('a'), state: 'detaching' }
  expect(planHotPlug([eth0, stuck], [select('a')])).toMatchObject({ detach: [], attach: [{ ifName: 'net2' }] })
})

const selections = fc.array(
  fc.record(
    {
      namespace: fc.constant('default'),
      name: fc.constantFrom('a', 'b', 'c'),
      interface: fc.constantFrom('eth1', 'eth2', 'net1', 'net2'),
      ips: fc.constantFrom(['10.0.0.1/24'], ['10.0.0.2/24']),
    },
    { requiredKeys: ['namespace', 'name'] },
  ),
  { maxLength: 6 },
)

function tryApply(recorded: readonly Plugged[], wanted: readonly NetworkSelection[]): Plugged[] | undefined {
  try {
    return apply(recorded, wanted)
  } catch (error) {
    if (error instanceof NetworkSelectionError) return undefined
    throw error
  }
}

test('a plan that is applied gives every network asked for once, under names of their own, and then asks for nothing', () => {
  fc.assert(
    fc.property(selections, selections, (first, second) => {
      const before = tryApply([eth0], first)
      const after = before === undefined ? undefined : tryApply(before, second)
      if (after === undefined) return
      expect(after).toHaveLength(1 + second.length)
      expect(new Set(after.map(({ ifName }) => ifName)).size).toBe(after.length)
      for (const { interface: name } of second)
        if (name !== undefined) expect(after.some((each) => each.ifName === name)).toBe(true)
      expect(planHotPlug(after, second)).toEqual({ keep: after, detach: [], attach: [] })
    }),
  )
})

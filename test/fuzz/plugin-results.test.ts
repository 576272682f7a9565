import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CniError } from '../../src/cni/errors.ts'
import { resultFromVersion } from '../../src/cni/read-result.ts'
import type { CniResult } from '../../src/cni/result.ts'
import { resultToVersion, supportedVersions } from '../../src/cni/versions.ts'
import { renderNetworkStatus } from '../../src/meta/network-status.ts'
import { planRouting } from '../../src/meta/routing/plan-routing.ts'
import { inputs } from './support/runs.ts'

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    '10.0.0.2/24',
    'fd00::2/64',
    '10.0.0.2/0',
    '10.0.0.1',
    'fd00::1',
    '::',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/8',
  ),
)
const text = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('eth0', 'eth1', '/run/netns/a') },
  { weight: 1, arbitrary: odd },
)
const subnet = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('10.0.0.2/24', 'fd00::2/64', '10.0.0.2/32', '0.0.0.0/0', '::/0') },
  { weight: 1, arbitrary: odd },
)
const address = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('10.0.0.1', 'fd00::1', '169.254.1.1', '', null) },
  { weight: 1, arbitrary: odd },
)
const index = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(undefined, 0, 1) }, { weight: 1, arbitrary: odd })
const some = (shape: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> =>
  fc.array(fc.record(shape, { requiredKeys: [] }), { maxLength: 3 })

/** What a plugin may print: mostly of the right form, with anything in some places. */
const printed = fc.record(
  {
    cniVersion: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...supportedVersions.slice(2)) },
      { weight: 1, arbitrary: odd },
    ),
    interfaces: some({ name: text, mac: text, mtu: index, sandbox: text }),
    ips: some({ address: subnet, gateway: address, interface: index }),
    routes: some({ dst: subnet, gw: address, table: index, priority: index }),
    dns: fc.oneof(fc.constant({ nameservers: ['10.0.0.53'] }), odd),
  },
  { requiredKeys: [] },
)

it('is refused, or is a pod’s network that has a routing, a network-status and an answer', () => {
  let taken = 0
  fc.assert(
    fc.property(
      printed,
      fc.option(fc.array(fc.constantFrom('10.0.0.1', 'fd00::1', '10.9.9.9'), { maxLength: 2 }), { nil: undefined }),
      (raw, defaultRoute) => {
        const result = refusedOr(() => resultFromVersion(raw))
        if (result === undefined) return
        taken++
        const attachments = [attachment('eth0', simple), attachment('eth1', result, defaultRoute)]
        const plan = refusedOr(() => planRouting(attachments))
        for (const told of plan?.results ?? []) {
          renderNetworkStatus([{ networkName: 'n', ifName: 'eth1', isDefault: false, result: told }])
          for (const version of supportedVersions) refusedOr(() => resultToVersion(told, version))
        }
      },
    ),
    { numRuns: inputs(20_000) },
  )
  // Otherwise this says nothing.
  expect(taken).toBeGreaterThan(20)
})

const simple: CniResult = {
  interfaces: [{ name: 'eth0', sandbox: '/n' }],
  ips: [{ address: '10.1.0.2/24', gateway: '10.1.0.1', interface: 0 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.0.1' }],
  dns: {},
}

function attachment(ifName: string, result: CniResult, defaultRoute?: readonly string[]) {
  const routing = { table: ifName === 'eth0' ? 1000 : 1001, keep: [], take: [] }
  return { ifName, networkName: ifName, isDefault: ifName === 'eth0', result, defaultRoute, routing }
}

function refusedOr<T>(task: () => T): T | undefined {
  try {
    return task()
  } catch (error) {
    if (error instanceof CniError && error.message !== '') return undefined
    throw error
  }
}

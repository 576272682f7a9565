// The part of Vitest's interface that tests in the guest use, over Node's own runner: under software emulation Vitest
// itself would need minutes to start.
import { after, before, describe as group, it } from 'node:test'
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'
import * as chai from 'chai'

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)

export { it }
export const expect = chai.expect
export const describe = Object.assign(group, { runIf: (condition) => (condition ? group : group.skip) })
export const beforeAll = (task, timeout) => before(task, { timeout })
export const afterAll = (task, timeout) => after(task, { timeout })

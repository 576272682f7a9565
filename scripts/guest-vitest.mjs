// The part of Vitest's interface that tests in the guest use, over Node's own runner: under software emulation Vitest
// itself would need minutes to start.
import { after, before, describe as group, it as test } from 'node:test'
import { format } from 'node:util'
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend } from '@vitest/expect'
import * as chai from 'chai'

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin)

/** A row's values take the places of `%s` in the title; those that are left over are not told. */
const titleOf = (title, row) => format(title, ...row.slice(0, title.split('%s').length - 1))
const each = (rows) => (title, task) => {
  for (const row of rows) test(titleOf(title, row), () => task(...row))
}
export const it = Object.assign((...args) => test(...args), { each })
export const expect = chai.expect
export const describe = Object.assign(group, { runIf: (condition) => (condition ? group : group.skip) })
export const beforeAll = (task, timeout) => before(task, { timeout })
export const afterAll = (task, timeout) => after(task, { timeout })

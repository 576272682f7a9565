import { expect, test } from 'vitest'
import { defer } from '../base/clock.ts'
import { LinkRemover } from './link-remover.ts'

const instantly = { now: () => 0, sleep: async () => {} }

test('what comes while a deletion runs goes with the next one, all at once', async () => {
  const batches: (readonly string[])[] = []
  const first = defer()
  const remover = new LinkRemover(async (names) => {
    batches.push(names)
    if (batches.length === 1) await first.promise
  }, instantly)
  const one = remover.delete(['a'])
  await new Promise((resolve) => setImmediate(resolve))
  const others = [remover.delete(['b', 'c']), remover.delete(['d'])]
  first.resolve()
  await Promise.all([one, ...others])
  expect(batches).toEqual([['a'], ['b', 'c', 'd']])
})

test('one link that cannot be deleted fails for whoever asked for it, and for nobody else', async () => {
  const remover = new LinkRemover(async (names) => {
    if (names.includes('bad')) throw new Error('EPERM')
  }, instantly)
  const results = await Promise.allSettled([remover.delete(['good']), remover.delete(['bad'])])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
  await remover.delete(['later'])
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentLog } from '../base/log.ts'
import { IdleMemory } from './idle-memory.ts'

let resident: number
let gaveBack: number

beforeEach(() => {
  vi.useFakeTimers()
  resident = 100
  gaveBack = 0
})
afterEach(() => vi.useRealTimers())

function create(): IdleMemory {
  return new IdleMemory({
    log: silentLog,
    idleMs: 1000,
    worthBytes: 10,
    residentBytes: () => resident,
    giveBack: async () => {
      gaveBack++
      resident = 105
    },
  })
}

test('memory is given back once when nothing has been asked for a while, not in between', async () => {
  const memory = create()
  for (let n = 0; n < 20; n++) {
    resident += 10
    memory.noteWork()
    await vi.advanceTimersByTimeAsync(300)
  }
  expect(gaveBack).toBe(0)
  await vi.advanceTimersByTimeAsync(1000)
  expect(gaveBack).toBe(1)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(gaveBack).toBe(1)
})

test('a burst that has used little is not worth a pause, one after it is measured by what was left', async () => {
  const memory = create()
  resident = 109
  memory.noteWork()
  await vi.advanceTimersByTimeAsync(2000)
  expect(gaveBack).toBe(0)
  resident = 200
  memory.noteWork()
  await vi.advanceTimersByTimeAsync(2000)
  expect(gaveBack).toBe(1)
  resident = 114
  memory.noteWork()
  await vi.advanceTimersByTimeAsync(2000)
  expect(gaveBack).toBe(1)
})

test('nothing is given back after the stop', async () => {
  const memory = create()
  resident = 200
  memory.noteWork()
  memory.stop()
  await vi.advanceTimersByTimeAsync(2000)
  expect(gaveBack).toBe(0)
})

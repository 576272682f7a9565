import { expect, test } from 'vitest'
import { Pace } from './pace.ts'

function setUp() {
  let now = 1000
  const slept: number[] = []
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      slept.push(ms)
      now += ms
    },
  }
  const pace = new Pace(clock)
  const write = async (pods = 10): Promise<void> => {
    await pace.wait()
    pace.written(pods)
  }
  const pass = (ms: number): void => {
    now += ms
  }
  return { write, slept, pass }
}

test('a write by itself never waits', async () => {
  const { write, slept, pass } = setUp()
  for (let n = 0; n < 3; n++) {
    await write()
    pass(1000)
  }
  expect(slept).toEqual([])
})

test('writes of many pods that follow one another wait longer each time, up to a limit, and calm ends it', async () => {
  const { write, slept, pass } = setUp()
  for (let n = 0; n < 5; n++) await write()
  expect(slept).toEqual([20, 40, 80, 100])
  pass(1000)
  await write()
  await write()
  expect(slept).toEqual([20, 40, 80, 100, 20])
})

test('pods that come one after the other wait for no more than the shortest time', async () => {
  const { write, slept } = setUp()
  for (let n = 0; n < 5; n++) await write(1)
  expect(slept).toEqual([20, 20, 20, 20])
})

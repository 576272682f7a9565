import { describe, expect, test } from 'vitest'
import { defer } from '../base/clock.ts'
import { RequestLane } from './request-lane.ts'

const never = new AbortController().signal
const laneOf = (concurrency: number, waitMs = 60_000): RequestLane =>
  new RequestLane({ name: 'ADD', concurrency, waitingLimit: 2, waitMs })

describe('a request that pauses', () => {
  test('lets another have its turn, and goes on before those that have not begun', async () => {
    const lane = laneOf(1)
    const told: string[] = []
    const [outside, middle] = [defer(), defer()]
    const first = lane.run(async (turn) => {
      await turn.pause(() => outside.promise)
      told.push('first goes on')
    }, never)
    const second = lane.run(async () => {
      told.push('second')
      outside.resolve()
      await middle.promise
    }, never)
    const third = lane.run(async () => void told.push('third'), never)
    await expect.poll(() => told).toEqual(['second'])
    expect(lane).toMatchObject({ inFlight: 1, waiting: 1 })
    middle.resolve()
    await Promise.all([first, second, third])
    expect(told).toEqual(['second', 'first goes on', 'third'])
    expect(lane).toMatchObject({ inFlight: 0, waiting: 0, paused: 0 })
  })

  test('in two parts side by side gives its turn back once, and has it again when both go on', async () => {
    const lane = laneOf(1)
    const [one, two] = [defer(), defer()]
    const both = lane.run((turn) => Promise.all([turn.pause(() => one.promise), turn.pause(() => two.promise)]), never)
    await expect.poll(() => lane.paused).toBe(1)
    expect(lane.inFlight).toBe(0)
    one.resolve()
    await lane.run(async () => {}, never)
    two.resolve()
    await both
    expect(lane).toMatchObject({ inFlight: 0, paused: 0 })
  })

  test('goes on at once after a failure, though the lane is full then', async () => {
    const lane = laneOf(1)
    const [outside, busy] = [defer(), defer()]
    const failed = lane.run(async (turn) => {
      await turn.pause(() => outside.promise).finally(() => expect(lane.inFlight).toBe(2))
    }, never)
    const other = lane.run(() => busy.promise, never)
    outside.reject(new Error('late'))
    await expect(failed).rejects.toThrow('late')
    expect(lane.inFlight).toBe(1)
    busy.resolve()
    await other
    expect(lane.inFlight).toBe(0)
  })

  test('is told when no turn comes in time, and leaves none behind', async () => {
    const lane = laneOf(1, 20)
    const [outside, busy] = [defer(), defer()]
    const late = lane.run((turn) => turn.pause(() => outside.promise), never)
    const other = lane.run(() => busy.promise, never)
    outside.resolve()
    await expect(late).rejects.toThrow('the turn did not come within 0.02 s')
    busy.resolve()
    await other
    expect(lane).toMatchObject({ inFlight: 0, waiting: 0, paused: 0 })
  })
})

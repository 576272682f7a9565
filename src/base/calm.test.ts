import { describe, expect, it } from 'vitest'
import { Calm } from './calm.ts'
import { defer } from './clock.ts'

/** A clock that stands until somebody sleeps. */
function createClock(onSleep: (now: number) => void = () => {}) {
  let now = 0
  return {
    now: () => now,
    sleep: async (ms: number) => {
      now += ms
      onSleep(now)
    },
  }
}

describe('Calm', () => {
  it('does not wait when nobody is busy', async () => {
    const clock = createClock()
    await new Calm(clock).wait()
    expect(clock.now()).toBe(0)
  })

  it('waits until nobody has been busy for a while', async () => {
    const work = defer()
    const clock = createClock((now) => {
      if (now === 100) work.resolve()
    })
    const calm = new Calm(clock)
    const busy = calm.busyWith(() => work.promise)
    await calm.wait({ settleMs: 20 })
    await busy
    expect(clock.now()).toBeGreaterThanOrEqual(120)
  })

  it('waits no longer than it may', async () => {
    const clock = createClock()
    const calm = new Calm(clock)
    void calm.busyWith(() => new Promise(() => {}))
    await calm.wait({ settleMs: 30, atMostMs: 300 })
    expect(clock.now()).toBe(300)
  })
})

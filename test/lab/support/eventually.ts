import { setTimeout as delay } from 'node:timers/promises'

/** Repeats an expectation until it holds; after the deadline its last failure is thrown. For what the outside world does in its own time. */
export async function eventually(
  expectation: () => Promise<void>,
  options: { timeoutMs?: number } = {},
): Promise<void> {
  const deadline = Date.now() + (options.timeoutMs ?? 30_000)
  for (;;) {
    try {
      return await expectation()
    } catch (error) {
      if (Date.now() > deadline) throw error
      await delay(250)
    }
  }
}

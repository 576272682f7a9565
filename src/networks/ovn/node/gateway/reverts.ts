import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { TwinlaneError } from '../../../../base/errors.ts'
import { findFile, writeFileAtomic } from '../../../../base/file.ts'
import { readBootId } from './nic-state.ts'

/** A takeover was taken back because the host lost what it reached before; it is not tried again for a while. */
export class TakeoverRevertedError extends TwinlaneError {}

interface Reverted {
  readonly bootId: string
  readonly at: string
  readonly count: number
  readonly reason: string
}

const firstHoldMs = 60_000
const longestHoldMs = 3_600_000

/** Remembers, over restarts of the agent, which takeovers went wrong: a host must not go to and fro. */
export class Reverts {
  readonly #folder: string

  constructor(stateFolder: string) {
    this.#folder = join(stateFolder, 'ovn')
  }

  /** Throws TakeoverRevertedError while the NIC is to be left alone: 1 minute after the first time, at last an hour. */
  async requireNone(uplink: string): Promise<void> {
    const reverted = await this.#find(uplink)
    if (reverted === undefined) return
    const until = Date.parse(reverted.at) + Math.min(longestHoldMs, firstHoldMs * 2 ** (reverted.count - 1))
    if (Date.now() < until) throw revertedError(uplink, reverted, new Date(until))
  }

  async add(uplink: string, reason: string): Promise<void> {
    const count = ((await this.#find(uplink))?.count ?? 0) + 1
    const reverted: Reverted = { bootId: await readBootId(), at: new Date().toISOString(), count, reason }
    await mkdir(this.#folder, { recursive: true })
    await writeFileAtomic(this.#path(uplink), `${JSON.stringify(reverted)}\n`)
  }

  async forget(uplink: string): Promise<void> {
    await rm(this.#path(uplink), { force: true })
  }

  /** Another boot is another chance. */
  async #find(uplink: string): Promise<Reverted | undefined> {
    const reverted = JSON.parse((await findFile(this.#path(uplink))) ?? 'null') as Reverted | null
    return reverted?.bootId === (await readBootId()) ? reverted : undefined
  }

  #path(uplink: string): string {
    return join(this.#folder, `reverted-${uplink}.json`)
  }
}

function revertedError(uplink: string, { at, reason }: Reverted, until: Date): TakeoverRevertedError {
  const times = `at ${at}, and is not tried again before ${until.toISOString()}`
  return new TakeoverRevertedError(`the takeover of ${uplink} was taken back ${times}: ${reason}`, {
    fix: `Put right what the host lost with ${uplink} in its bridge, or leave gatewayInterface out.`,
  })
}

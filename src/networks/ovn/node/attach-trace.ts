/**
 * What an ADD goes through, in order: the controller's annotation, the switch's br-int, the pair of devices, the port on
 * br-int, OVN's flows.
 */
export type AttachStage = 'annotation' | 'switch' | 'device' | 'port' | 'flows'

interface Step {
  readonly stage: AttachStage
  ms: number
  isDone: boolean
}

/** How long each stage of one ADD took, or takes. */
export class AttachTrace {
  readonly #steps: Step[] = []
  readonly #startedAt = performance.now()

  get ms(): number {
    return performance.now() - this.#startedAt
  }

  get steps(): readonly Readonly<Step>[] {
    return this.#steps
  }

  async during<T>(stage: AttachStage, work: () => Promise<T>): Promise<T> {
    const step: Step = { stage, ms: 0, isDone: false }
    this.#steps.push(step)
    const startedAt = performance.now()
    try {
      const result = await work()
      step.isDone = true
      return result
    } finally {
      step.ms = performance.now() - startedAt
    }
  }

  /** e.g. `annotation 3 ms, switch 0 ms, device 4 ms, port 6 ms, flows not after 29987 ms` */
  toString(): string {
    return this.#steps
      .map(({ stage, ms, isDone }) => `${stage}${isDone ? '' : ' not after'} ${Math.round(ms)} ms`)
      .join(', ')
  }
}

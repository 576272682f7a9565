/** One measured number of one bench. */
export interface Figure {
  readonly bench: string
  readonly figure: string
  readonly value: number
  readonly unit: 'ms' | 's' | 'MB' | 'pods/s' | 'addresses/s' | 'Gbit/s' | 'us' | 'per pod' | 'sessions'
  /** The floor or peer that was measured in the same run. */
  readonly compared: string | null
  /** `value` by that. */
  readonly ratio: number | null
}

/** Adds a figure to what a bench has measured; `compared` names a figure of the same bench that was reported before. */
export type Report = (figure: string, value: number, unit: Figure['unit'], compared?: string) => void

/** A named measurement. Makes what it needs and leaves nothing behind, however it ends. */
export type Bench = (report: Report) => Promise<void>

/** Runs a bench and gives every figure to `print` as soon as it is known. */
export async function runBench(name: string, bench: Bench, print: (figure: Figure) => void): Promise<Figure[]> {
  const figures: Figure[] = []
  await bench((figure, value, unit, compared) => {
    const peer = compared === undefined ? undefined : figures.find((each) => each.figure === compared)
    if (compared !== undefined && peer === undefined)
      throw new Error(`${name}: no figure "${compared}" to compare with`)
    const ratio = peer === undefined ? null : round(value / peer.value)
    const measured = { bench: name, figure, value: round(value), unit, compared: compared ?? null, ratio }
    figures.push(measured)
    print(measured)
  })
  return figures
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

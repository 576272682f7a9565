import type { Bench } from './bench.ts'
import { inLabFolder, labCommand } from './lab.ts'
import { percentile } from './statistics.ts'

const runs = 3
const aimSeconds = 15

/** From the command to all nodes Ready. Each run is a lab of its own. */
export const labUp: Bench = async (report) => {
  const seconds: number[] = []
  for (let run = 0; run < runs; run++) {
    await inLabFolder(async (folder) => {
      const startedAt = performance.now()
      const progress = await labCommand('up', folder)
      const took = (performance.now() - startedAt) / 1000
      seconds.push(took)
      // The lab and its logs are gone in a moment, so a slow run tells now where its time went.
      if (took > aimSeconds) console.error(`lab-up took ${took.toFixed(1)} s:\n${progress}`)
    })
  }
  report('median', percentile(seconds, 50), 's')
  report('max', Math.max(...seconds), 's')
}

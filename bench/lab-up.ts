import type { Bench } from './bench.ts'
import { inLabFolder, labCommand } from './lab.ts'
import { percentile } from './statistics.ts'

const runs = 3

/** From the command to all nodes Ready. Each run is a lab of its own. */
export const labUp: Bench = async (report) => {
  const seconds: number[] = []
  for (let run = 0; run < runs; run++) {
    await inLabFolder(async (folder) => {
      const startedAt = performance.now()
      await labCommand('up', folder)
      seconds.push((performance.now() - startedAt) / 1000)
    })
  }
  report('median', percentile(seconds, 50), 's')
  report('max', Math.max(...seconds), 's')
}

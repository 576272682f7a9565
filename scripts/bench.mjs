// Measures: node scripts/bench.mjs [NAME…] [--json] [--save]; what each bench measures is told in bench/README.md.
// Plain Node.js, since it makes a fresh clone ready first.
import { spawnSync } from 'node:child_process'
import { main, setup } from './setup.mjs'

await main(() => {
  const log = console.log
  // Standard output is for figures.
  console.log = console.error
  setup()
  console.log = log
  const env = { ...process.env }
  delete env.NODE_EXTRA_CA_CERTS
  const args = ['node_modules/.bin/tsx', 'bench/run.ts', ...process.argv.slice(2)]
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env })
  return status ?? 1
})

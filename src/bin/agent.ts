import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runAgent } from '../agent/run.ts'

const { values } = parseArgs({
  options: {
    config: { type: 'string', default: '/etc/twinlane/config.yaml' },
    /** Take back what the agent did on this node, and end. */
    remove: { type: 'boolean', default: false },
  },
})
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())
const shim = join(dirname(fileURLToPath(import.meta.url)), 'twinlane-shim')
const { config: configFile, remove: isRemoval } = values
process.exit(await runAgent({ configFile, shim, signal: stop.signal, isRemoval, env: process.env }))

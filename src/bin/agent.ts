import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runAgent } from '../agent/run.ts'

const { values } = parseArgs({ options: { config: { type: 'string', default: '/etc/twinlane/config.yaml' } } })
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())
const shim = join(dirname(fileURLToPath(import.meta.url)), 'twinlane-shim')
process.exit(await runAgent({ configFile: values.config, shim, signal: stop.signal }))

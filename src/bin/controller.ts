import { parseArgs } from 'node:util'
import { runController } from '../controller/run.ts'

const { values } = parseArgs({ options: { config: { type: 'string', default: '/etc/twinlane/config.yaml' } } })
const stop = new AbortController()
for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort())
process.exit(await runController({ configFile: values.config, signal: stop.signal, env: process.env }))

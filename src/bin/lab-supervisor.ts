import { closeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createLog } from '../base/log.ts'
import type { LabConfig } from '../lab/config.ts'
import { programsIn } from '../lab/programs.ts'
import { runSupervisor } from '../lab/supervisor.ts'

const { values } = parseArgs({ options: { state: { type: 'string' } } })
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
process.on('SIGINT', () => stop.abort())
process.on('SIGHUP', () => {})
const log = createLog({ name: 'lab-supervisor' })
const dist = dirname(fileURLToPath(import.meta.url))
const programs = programsIn(join(dist, '..'), process.execPath)
const config = JSON.parse(await text(process.stdin)) as LabConfig
const isBuilt = await runSupervisor({
  stateFolder: values.state ?? '',
  config,
  programs,
  log,
  signal: stop.signal,
  onListening: () => closeSync(3),
})
process.exit(isBuilt ? 0 : 1)

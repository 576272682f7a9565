#!/usr/bin/env node
import { runCli } from '../cli/main.ts'

// A reader that has seen enough (`twinlane get pods | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
const interruption = (): AbortSignal => {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => stop.abort(new Error('interrupted')))
  return stop.signal
}
const { env, stdin, stdout, stderr } = process
const argv = process.argv.slice(2)
process.exit(await runCli({ argv, env, cwd: process.cwd(), stdin, stdout, stderr, interruption }))

#!/usr/bin/env node
import { runCli } from '../cli/main.ts'

// A reader that has seen enough (`twinlane get pods | head -1`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
const { env, stdin, stdout, stderr } = process
process.exit(await runCli({ argv: process.argv.slice(2), env, cwd: process.cwd(), stdin, stdout, stderr }))

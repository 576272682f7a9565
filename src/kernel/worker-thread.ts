import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { WorkerRole } from './protocol.ts'

const here = import.meta.url

/** Starts a worker thread of this folder; whoever asks decides when it may keep the process alive. */
export function startWorker(role: WorkerRole): Worker {
  // The threads open and close sockets that Node knows nothing about, and hand some to other threads.
  const options = {
    workerData: { role },
    execArgv: [],
    name: `kernel-${role}`,
    trackUnmanagedFds: false,
    // The work is small and keeps nothing; V8's default of 16 MB for young objects would never be collected.
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 },
  }
  return here.endsWith('.ts')
    ? new Worker(bundledSource(), { ...options, eval: true })
    : new Worker(bundledFile(), options)
}

/** The worker's file in dist/, beside the process' own or, seen from a shared chunk, one folder up. */
function bundledFile(): URL {
  const candidates = ['./kernel-worker.js', '../kernel-worker.js'].map((path) => new URL(path, here))
  const file = candidates.find((candidate) => existsSync(fileURLToPath(candidate)))
  if (file === undefined) {
    throw new Error(`no kernel-worker.js beside ${fileURLToPath(here)}: build again (npm run build)`)
  }
  return file
}

let source: string | undefined

/**
 * The worker's code when this runs from source, as tests do: tsx's loader does not reach into worker threads on
 * Node 20, so esbuild, a development dependency, bundles it here (0.1 s, once a process).
 */
function bundledSource(): string {
  source ??= bundle(createRequire(here))
  return source
}

function bundle(require: NodeJS.Require): string {
  const esbuild = require('esbuild') as typeof import('esbuild')
  const koffi = require.resolve('koffi')
  const result = esbuild.buildSync({
    entryPoints: [fileURLToPath(new URL('../bin/kernel-worker.ts', here))],
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    alias: { koffi },
    external: [koffi],
    sourcemap: 'inline',
  })
  return result.outputFiles[0]?.text ?? ''
}

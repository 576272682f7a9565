// Bundles the processes into dist/ and compiles the CNI shim. Safe to repeat; takes about a second.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { build } from 'esbuild'

const entries = ['cli', 'agent', 'controller', 'kubelet', 'lab-supervisor', 'kernel-worker']
  .map((name) => ({ in: `src/bin/${name}.ts`, out: name }))
  .filter((entry) => existsSync(entry.in))

mkdirSync('dist', { recursive: true })
await build({
  entryPoints: entries,
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  chunkNames: 'chunks/[name]-[hash]',
  external: ['koffi'],
  // Packages in CommonJS form call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})

if (existsSync('shim/twinlane.c')) {
  execFileSync(
    'musl-gcc',
    ['-Os', '-static', '-Wall', '-Wextra', '-Werror', '-s', '-o', 'dist/twinlane-shim', 'shim/twinlane.c'],
    { stdio: 'inherit' },
  )
}

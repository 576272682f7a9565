// Bundles the processes into dist/ and compiles the CNI shim. Safe to repeat; takes about a second.
// build.mjs [--out DIR] [NAME…]: only these entry points, into another folder.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'

const from = process.cwd()
process.chdir(join(dirname(fileURLToPath(import.meta.url)), '..'))
const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } })
const out = values.out === undefined ? 'dist' : resolve(from, values.out)
const all = ['cli', 'agent', 'controller', 'kubelet', 'lab-supervisor', 'kernel-worker']
const entries = all
  .filter((name) => positionals.length === 0 || positionals.includes(name))
  .map((name) => ({ in: `src/bin/${name}.ts`, out: name }))
  .filter((entry) => existsSync(entry.in))

mkdirSync(out, { recursive: true })
const { metafile } = await build({
  metafile: true,
  entryPoints: entries,
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Names stay, for errors and stack traces; the text itself costs memory and start-up time in every process.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  sourcemap: 'linked',
  chunkNames: 'chunks/[name]-[hash]',
  external: ['koffi'],
  // Packages in CommonJS form call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
})

removeOldChunks(Object.keys(metafile.outputs).map((path) => basename(path)))
if (existsSync(`${out}/cli.js`)) chmodSync(`${out}/cli.js`, 0o755)

execFileSync(
  'musl-gcc',
  ['-Os', '-static', '-Wall', '-Wextra', '-Werror', '-s', '-o', `${out}/twinlane-shim`, 'shim/twinlane.c'],
  { stdio: 'inherit' },
)

/** A chunk is named after its content, so those of earlier builds would stay for ever. */
function removeOldChunks(names) {
  for (const name of readdirSync(`${out}/chunks`)) if (!names.includes(name)) rmSync(`${out}/chunks/${name}`)
}

// Runs every test: node scripts/test.mjs [--only unit|fuzz|netns|lab] [--long] [FILTER…]
// The last line is always "N passed, N failed".
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { main, setup } from './setup.mjs'

const { values: flags, positionals: filters } = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' }, long: { type: 'boolean', default: false } },
})

/** Network and mount namespaces of its own, so that a test that goes wrong cannot touch the machine. */
const inNamespace = [
  'unshare',
  ...['-n', '-m', '--propagation', 'private', 'sh', '-ec'],
  'mkdir -p /run/netns; mount -t tmpfs none /run/netns; ip link set lo up; exec "$@"',
  'sh',
]

const checks = [
  { name: 'types', command: ['npx', 'tsc', '-b'] },
  { name: 'lint and format', command: ['npx', 'biome', 'check', '.'] },
  { name: 'imports', command: ['npx', 'tsx', 'scripts/check-imports.ts'] },
]
const projects = [
  { name: 'unit', prefix: [] },
  { name: 'fuzz', prefix: [] },
  { name: 'netns', prefix: inNamespace },
  { name: 'lab', prefix: [] },
]

await main(() => {
  if (flags.only !== undefined && !projects.some((project) => project.name === flags.only)) {
    console.error(`--only ${flags.only}: there are ${projects.map((project) => project.name).join(', ')}`)
    return 2
  }
  setup({ tests: true })
  const total = { passed: 0, failed: 0 }
  const add = (counts) => {
    total.passed += counts.passed
    total.failed += counts.failed
  }
  if (flags.only === undefined && filters.length === 0) for (const check of checks) add(runCheck(check))
  for (const project of projects) {
    if (flags.only === undefined || flags.only === project.name) add(runProject(project))
  }
  console.log(`${total.passed} passed, ${total.failed} failed`)
  return total.failed === 0 && total.passed > 0 ? 0 : 1
})

function runCheck({ name, command }) {
  const isGood = timed(name, () => start(command).status === 0)
  return { passed: isGood ? 1 : 0, failed: isGood ? 0 : 1 }
}

function runProject({ name, prefix }) {
  const folder = mkdtempSync(join(tmpdir(), 'twinlane-test-'))
  try {
    const report = join(folder, 'report.json')
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
    const vitest = ['npx', 'vitest', 'run', '--project', name, '--passWithNoTests', ...reporters, ...filters]
    return timed(`${name} tests`, () => countTests(start([...prefix, ...vitest]).status, report))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A file that could not even be loaded is a failure too, as is a run that ended badly without saying why. */
function countTests(status, report) {
  const { numPassedTests: passed, numFailedTests, testResults } = readReport(report)
  const unloaded = testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
  const failed = numFailedTests + unloaded
  return { passed, failed: status !== 0 && failed === 0 ? 1 : failed }
}

function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, testResults: [] }
  }
}

function start([command, ...args]) {
  const env = { ...process.env, ...(flags.long ? { TWINLANE_LONG_TESTS: '1' } : {}) }
  delete env.NODE_EXTRA_CA_CERTS
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env })
}

function timed(what, task) {
  const startedAt = Date.now()
  console.log(`\n=== ${what}`)
  const result = task()
  console.log(`=== ${what}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`)
  return result
}

// Makes a fresh Debian machine and a fresh clone ready: Debian packages, npm packages, build. Plain Node.js, since it
// runs before there are any packages. Safe to repeat; says nothing when there is nothing to do.
//   node scripts/setup.mjs [--tests | --build]
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const policyFile = '/usr/sbin/policy-rc.d'
const keptPolicyFile = '/usr/sbin/policy-rc.d.kept-by-twinlane-setup'
const policyMark = '# written by the set-up of Twinlane'

/** Installs what is missing and builds. Throws SetupError. */
export function setup(options = {}) {
  process.chdir(root)
  checkNode()
  checkMachine()
  installDebianPackages(options.tests === true)
  installNpmPackages()
  buildPrograms()
}

export class SetupError extends Error {}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 19)) return
  throw new SetupError(`Node.js ${process.versions.node} is too old. Install Node.js 20.19 or later.`)
}

function checkMachine() {
  if (!existsSync('/etc/debian_version') || find('apt-get') === undefined) {
    throw new SetupError('This is no Debian machine. Debian 12 or later, or a derivative with apt-get, is needed.')
  }
  if (process.getuid?.() !== 0) throw new SetupError('Root is needed, for packages and namespaces. Run it with sudo.')
}

// --- Debian packages

function installDebianPackages(withTests) {
  restorePolicy()
  const lists = JSON.parse(readFileSync('src/lab/packages.json', 'utf8'))
  const wanted = [...lists.runtime, ...lists.build, ...(withTests ? lists.tests : [])].map((each) => each.package)
  const before = installedPackages()
  const missing = wanted.filter((name) => !before.has(name))
  if (missing.length === 0) return
  console.log(`Installing Debian packages: ${missing.join(' ')}`)
  withServicesHeldBack(() => aptInstall(missing))
  disableServices([...installedPackages()].filter((name) => !before.has(name)))
}

/** Names of all installed packages, without architecture. */
function installedPackages() {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own format language
  const out = run('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package}\\n'])
  return new Set(
    out
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.slice('installed '.length)),
  )
}

/** Without podman's own network configuration: a container runtime of this machine must not find it in net.d. */
const withoutNetConf = ['-o', 'Dpkg::Options::=--path-exclude=/etc/cni/net.d/*']

function aptInstall(names) {
  const install = ['install', '-y', '--no-install-recommends', ...withoutNetConf, ...names]
  const isKnown = apt(['--simulate', '-qq', ...install], 'ignore')
  if (!isKnown) update()
  // Old lists name files that the mirror has no more.
  if (apt(['-qq', ...install], 'inherit')) return
  if (isKnown) update()
  if (!isKnown || !apt(['-qq', ...install], 'inherit')) {
    throw new SetupError(`apt-get could not install ${names.join(' ')}. Its messages are above.`)
  }
}

function update() {
  console.log('Updating the package lists')
  if (!apt(['-qq', 'update'], 'inherit')) throw new SetupError('apt-get update failed. Is the machine on the network?')
}

function apt(args, output) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' }
  const done = spawnSync('apt-get', args, { env, stdio: ['ignore', output, output] })
  return done.status === 0
}

/** Debian starts a service as soon as its package is installed, unless policy-rc.d forbids it (exit code 101). */
function withServicesHeldBack(task) {
  const ignore = () => {}
  process.on('SIGINT', ignore).on('SIGTERM', ignore).on('SIGHUP', ignore)
  try {
    if (existsSync(policyFile)) renameSync(policyFile, keptPolicyFile)
    writeFileSync(policyFile, `#!/bin/sh\n${policyMark}\nexit 101\n`, { mode: 0o755 })
    task()
  } finally {
    restorePolicy()
    process.off('SIGINT', ignore).off('SIGTERM', ignore).off('SIGHUP', ignore)
  }
}

/** Also what a set-up that was killed has left. */
function restorePolicy() {
  if (process.getuid?.() !== 0) return
  if (existsSync(policyFile) && readFileSync(policyFile, 'utf8').includes(policyMark)) rmSync(policyFile)
  if (existsSync(keptPolicyFile)) renameSync(keptPolicyFile, policyFile)
}

/** The lab starts its programs itself: the services of packages that were not here before stay off at boot too. */
function disableServices(packages) {
  const units = packages.flatMap(unitsOf)
  if (units.length === 0) return
  console.log(`Leaving their services off: ${units.join(' ')}`)
  for (const unit of units) {
    if (find('systemctl') !== undefined) spawnSync('systemctl', ['disable', unit], { stdio: 'ignore' })
    else spawnSync('update-rc.d', [unit.replace(/\.\w+$/, ''), 'disable'], { stdio: 'ignore' })
  }
}

function unitsOf(name) {
  const files = run('dpkg-query', ['-L', name]).split('\n')
  const units = files.map((file) => /\/systemd\/system\/([^/@]+\.(?:service|socket|timer|path))$/.exec(file)?.[1])
  const scripts = files.map((file) => /^\/etc\/init\.d\/([^/]+)$/.exec(file)?.[1]).filter((each) => each !== undefined)
  const known = units.filter((each) => each !== undefined)
  return [...known, ...scripts.map((each) => `${each}.service`).filter((each) => !known.includes(each))]
}

// --- npm packages and the build

function installNpmPackages() {
  const marker = 'node_modules/.installed-for'
  const wanted = hash(readFileSync('package-lock.json'))
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  console.log('Installing npm packages')
  const npm = process.env.npm_execpath
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const [command, rest] = npm === undefined ? ['npm', args] : [process.execPath, [npm, ...args]]
  const done = spawnSync(command, rest, { stdio: 'inherit' })
  if (done.status !== 0) throw new SetupError('npm ci failed. Its messages are above.')
  writeFileSync(marker, wanted)
}

/** Builds dist/ when a source has changed. */
export function buildPrograms() {
  process.chdir(root)
  const marker = 'dist/.built-from'
  const wanted = hash(...sourceFiles().map((file) => `${file}\0${readFileSync(file)}`))
  if (existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return
  console.log('Building')
  rmSync(marker, { force: true })
  const done = spawnSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' })
  if (done.status !== 0) throw new SetupError('The build failed. Its messages are above.')
  mkdirSync('dist', { recursive: true })
  writeFileSync(marker, wanted)
}

function sourceFiles() {
  const source = readdirSync('src', { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
  return [...source, 'shim/twinlane.c', 'scripts/build.mjs', 'package-lock.json']
}

// --- small things

function hash(...parts) {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest('hex')
}

function run(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'inherit'] })
}

function find(program) {
  return (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path))
}

/** Runs a script's main function; a SetupError is told without a stack. */
export async function main(task) {
  try {
    process.exitCode = (await task()) ?? 0
  } catch (error) {
    console.error(error instanceof SetupError ? error.message : error)
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(() => {
    if (process.argv.includes('--build')) return buildPrograms()
    setup({ tests: process.argv.includes('--tests') })
    console.log('Ready.')
  })
}

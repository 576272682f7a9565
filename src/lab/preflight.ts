import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, TwinlaneError } from '../base/errors.ts'
import { exec } from '../base/exec.ts'
import packages from './packages.json' with { type: 'json' }

/** The machine cannot run a lab. */
export class PreflightError extends TwinlaneError {}

/** Checks, before anything is made, that this machine can run a lab. Throws PreflightError with the fix. */
export async function checkMachine(programs: readonly string[]): Promise<void> {
  checkRoot()
  await checkPackages()
  await checkPrograms(programs)
  await checkKernel()
}

function checkRoot(): void {
  if (process.getuid?.() === 0) return
  throw new PreflightError('a lab needs root: it makes network namespaces and mounts', {
    fix: 'Run the command with sudo.',
  })
}

async function checkPackages(): Promise<void> {
  const missing: string[] = []
  for (const each of packages.runtime) {
    if (!(await isThere(each.provides))) missing.push(each.package)
  }
  if (missing.length === 0) return
  const names = missing.join(' ')
  throw new PreflightError(`missing Debian packages: ${names}`, {
    fix: `Run "npm run setup", or "apt-get install --no-install-recommends ${names}".`,
  })
}

async function checkPrograms(programs: readonly string[]): Promise<void> {
  for (const program of programs) {
    if (await isThere(program)) continue
    throw new PreflightError(`${program} is not there`, { fix: 'Run "npm run build".' })
  }
}

/** A trial: namespaces, an overlay on a tmpfs and the tun device, all of it gone with the command. */
async function checkKernel(): Promise<void> {
  const overlay = 'mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc'
  const script = `mount -t tmpfs tmpfs /mnt; mkdir /mnt/u /mnt/w; ${overlay}; : > /etc/.twinlane; test -c /dev/net/tun`
  const namespaces = ['--fork', '--pid', '--uts', '--ipc', '--net', '--mount', '--propagation', 'private']
  try {
    await exec('unshare', [...namespaces, 'sh', '-euc', script], { cwd: '/', timeoutMs: 10_000 })
  } catch (error) {
    if (errorCode(error) === 'ABORT_ERR') throw error
    throw new PreflightError('the kernel refuses what a lab is made of: namespaces, overlay mounts and /dev/net/tun', {
      fix: 'Use a kernel with these; in a container, one that is started privileged.',
      cause: error,
    })
  }
}

/** Whether there is such a file; a `*` stands for any one folder. Debian's merged /usr makes both spellings work. */
async function isThere(path: string): Promise<boolean> {
  const [before, after] = path.split('/*/')
  if (before === undefined || after === undefined) return await exists(path)
  for (const name of await readdir(before)) {
    if (await exists(join(before, name, after))) return true
  }
  return false
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

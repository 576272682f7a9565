// Runs tests of the project netns on Debian's own kernel, which has what the host's kernel may lack (IP-in-IP, for
// one), in a QEMU guest under software emulation: node scripts/guest.mjs TEST-FILE…
// Slow (minutes), and never for timings. The guest sees the host's root read-only below a file system in memory.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main, SetupError, setup } from './setup.mjs'

const cache = join(homedir(), '.cache/twinlane/guest')
const deadlineMs = 15 * 60_000
/** What the guest needs before it has a root: a disk that is the host's file system, and one in memory above it. */
const firstModules = ['virtio_pci', '9pnet_virtio', '9p', 'overlay']

await main(async () => {
  const files = process.argv.slice(2)
  if (files.length === 0) throw new SetupError('Usage: node scripts/guest.mjs TEST-FILE…')
  setup({ tests: true })
  const bundles = await bundleTests(files)
  const kernel = installKernel()
  const folder = mkdtempSync(join(tmpdir(), 'twinlane-guest-'))
  try {
    writeFileSync(join(folder, 'run.sh'), guestScript(kernel, bundles))
    return boot(kernel, { folder, initramfs: packInitramfs(kernel, folder) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Into one file each, beside the built programs, where the kernel's worker is found. */
async function bundleTests(files) {
  const { build } = await import('esbuild')
  const outdir = resolve('dist/guest')
  rmSync(outdir, { recursive: true, force: true })
  await build({
    entryPoints: files,
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: { vitest: fileURLToPath(new URL('./guest-vitest.mjs', import.meta.url)) },
    outExtension: { '.js': '.mjs' },
  })
  return readdirSync(outdir).map((name) => join(outdir, name))
}

/** QEMU, and the kernel that Debian's linux-image-amd64 stands for, unpacked but not installed. */
function installKernel() {
  if (spawnSync('qemu-system-x86_64', ['--version']).error !== undefined) {
    run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', 'qemu-system-x86'])
  }
  const wanted = /Depends: (linux-image-\d\S*)/.exec(run('apt-cache', ['depends', 'linux-image-amd64']))?.[1]
  if (wanted === undefined) throw new SetupError('linux-image-amd64 names no kernel. Run apt-get update.')
  const root = join(cache, wanted)
  const version = wanted.replace('linux-image-', '')
  if (!existsSync(join(root, 'lib/modules', version, 'modules.dep'))) {
    mkdirSync(root, { recursive: true })
    run('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', wanted], { cwd: root })
    const [file] = readdirSync(root).filter((name) => name.endsWith('.deb'))
    run('dpkg', ['-x', file, '.'], { cwd: root })
    rmSync(join(root, file))
    run('depmod', ['-b', root, version])
  }
  return { root, version, image: join(root, 'boot', `vmlinuz-${version}`) }
}

function packInitramfs({ root, version }, folder) {
  const tree = join(folder, 'initramfs')
  for (const name of ['bin', 'modules', 'root', 'lower', 'upper']) mkdirSync(join(tree, name), { recursive: true })
  cpSync('/bin/busybox', join(tree, 'bin/busybox'))
  const needed = firstModules.flatMap((name) =>
    run('modprobe', ['-d', root, '-S', version, '--show-depends', name])
      .split('\n')
      .flatMap((line) => /^insmod (\S+)/.exec(line)?.[1] ?? []),
  )
  const order = [...new Set(needed)]
  for (const file of order) cpSync(file, join(tree, 'modules', basename(file)))
  writeFileSync(
    join(tree, 'init'),
    initScript(
      order.map((file) => basename(file)),
      join(folder, 'run.sh'),
    ),
    { mode: 0o755 },
  )
  const file = join(folder, 'initramfs.gz')
  run('sh', ['-c', `cd ${tree} && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > ${file}`])
  return file
}

function initScript(modules, script) {
  return `#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc /sys /dev
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in ${modules.join(' ')}; do $b insmod /modules/$m; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=524288,cache=loose host /lower
$b mount -t tmpfs tmpfs /upper; $b mkdir /upper/files /upper/work
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /root
for d in proc sys dev; do $b mount --move /$d /root/$d; done
$b mount -t tmpfs tmpfs /root/run
exec $b chroot /root /bin/sh ${script}
`
}

function guestScript({ root, version }, bundles) {
  const test = [process.execPath, '--test', '--test-reporter=spec', ...bundles]
  return `export PATH='${process.env.PATH}' HOME=/root TMPDIR=/run CI=1
mkdir -p /lib/modules /run/netns
ln -sfn '${root}/lib/modules/${version}' '/lib/modules/${version}'
ip link set lo up
cd '${resolve('.')}'
${test.map((word) => `'${word}'`).join(' ')} && echo the guest is content
poweroff -f
`
}

/** Shows what the guest says; its last words tell how it ended. */
function boot({ image }, { folder, initramfs }) {
  const log = join(folder, 'console.log')
  const share = 'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap'
  const machine = ['-accel', 'tcg,thread=multi', '-smp', '2', '-m', '4096', '-nic', 'none', '-virtfs', share]
  const start = ['-kernel', image, '-initrd', initramfs, '-append', 'console=ttyS0 quiet panic=-1', '-no-reboot']
  // The deadline is timeout's: ours would end the shell and leave qemu.
  const limit = ['timeout', '--kill-after=5', String(deadlineMs / 1000)]
  const command = [...limit, 'qemu-system-x86_64', ...machine, ...start, '-nographic']
  const line = command.map((word) => `'${word}'`).join(' ')
  spawnSync('sh', ['-c', `${line} </dev/null 2>&1 | tee ${log}`], { stdio: 'inherit' })
  return run('cat', [log]).includes('the guest is content') ? 0 : 1
}

function run(command, args, options = {}) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options })
}

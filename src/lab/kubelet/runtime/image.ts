import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode, TwinlaneError } from '../../../base/errors.ts'
import { exec } from '../../../base/exec.ts'

/** What a container needs of an image. */
export interface Image {
  /** Full reference without the tag, e.g. `docker.io/library/busybox`. */
  readonly repository: string
  readonly digest: string
  readonly sizeBytes: number
  /** Folder with the root file system: the read-only lower layer of every container. */
  readonly rootfs: string
  readonly command: readonly string[]
  readonly env: readonly string[]
}

/** The lab has no such image, and no registry. */
export class ImageNotFoundError extends TwinlaneError {}

const repository = 'docker.io/library/busybox'
const source = '/bin/busybox'
const folders = ['bin', 'dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'usr', 'var/log', 'var/spool']

/**
 * Builds the lab's one image, busybox, from Debian's static busybox, unless the folder already holds it. The name of the
 * folder carries the content's hash, so a newer busybox makes a new image and a half-built one is never used.
 */
export async function prepareBusybox(imageFolder: string): Promise<Image> {
  const binary = await readBusybox()
  const digest = createHash('sha256').update(binary).digest('hex')
  const rootfs = join(imageFolder, `busybox-${digest.slice(0, 16)}`)
  const image: Image = {
    repository,
    digest: `sha256:${digest}`,
    sizeBytes: binary.length,
    rootfs,
    command: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  }
  await ensureRootfs(rootfs)
  return image
}

async function readBusybox(): Promise<Buffer> {
  try {
    return await readFile(source)
  } catch (error) {
    throw new TwinlaneError(`cannot read ${source}, of which the lab makes its busybox image`, {
      fix: 'install the Debian package busybox-static',
      cause: error,
    })
  }
}

async function ensureRootfs(rootfs: string): Promise<void> {
  const draft = `${rootfs}.${process.pid}.draft`
  try {
    await readFile(join(rootfs, 'etc/passwd'))
    return
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  await rm(draft, { recursive: true, force: true })
  await Promise.all(folders.map((name) => mkdir(join(draft, name), { recursive: true })))
  await Promise.all([writeAccounts(draft), installApplets(draft), chmod(join(draft, 'tmp'), 0o1777)])
  await rename(draft, rootfs).catch(async (error: unknown) => {
    await rm(draft, { recursive: true, force: true })
    if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'EEXIST') throw error
  })
}

async function writeAccounts(root: string): Promise<void> {
  const files = {
    passwd: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
    group: 'root:x:0:\nnogroup:x:65534:\n',
    hosts: '',
    hostname: '',
    'resolv.conf': '',
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(root, 'etc', name), text)))
  await symlink('/proc/self/mounts', join(root, 'etc/mtab'))
}

async function installApplets(root: string): Promise<void> {
  await copyFile(source, join(root, 'bin/busybox'))
  const { stdout } = await exec(source, ['--list'])
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox')
  await Promise.all(applets.map((name) => symlink('busybox', join(root, 'bin', name))))
}

/** The image that a pod's `image` names, whatever the tag. Throws ImageNotFoundError. */
export function getImage(images: readonly Image[], reference: string): Image {
  const wanted = repositoryOf(reference)
  const found = images.find((image) => image.repository === wanted)
  if (found !== undefined) return found
  const names = images.map((image) => image.repository.replace('docker.io/library/', '')).join(', ')
  throw new ImageNotFoundError(
    `failed to pull image "${reference}": the lab has no registry; the images of the lab are: ${names}`,
    { fix: `use one of these images with any tag: ${names}` },
  )
}

/** Docker's rule: no host means docker.io, no folder means library; tag and digest are cut off. */
function repositoryOf(reference: string): string {
  const name = reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  const [first = '', ...rest] = name.split('/')
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const path = hasHost ? rest.join('/') : name
  const host = hasHost ? first : 'docker.io'
  return host === 'docker.io' && !path.includes('/') ? `docker.io/library/${path}` : `${host}/${path}`
}

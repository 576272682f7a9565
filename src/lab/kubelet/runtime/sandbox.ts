import { mkdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from '../../../base/errors.ts'
import { exec } from '../../../base/exec.ts'
import { unmount } from './syscalls.ts'

/** Files onto which a sandbox's namespaces are bound; they live on without a process in them. */
export interface SandboxNamespaces {
  /** Absent for a pod on the node's own network. */
  readonly netns?: string
  /** Absent for a pod on the node's own network, which keeps the node's host name. */
  readonly uts?: string
  readonly ipc: string
}

const nsfsMagic = 0x6e736673

export function namespacesOf(options: {
  id: string
  netnsFolder: string
  runFolder: string
  hostNetwork: boolean
}): SandboxNamespaces {
  const folder = join(options.runFolder, 'sandboxes')
  const ipc = join(folder, `${options.id}.ipc`)
  if (options.hostNetwork) return { ipc }
  return { netns: join(options.netnsFolder, `cni-${options.id}`), uts: join(folder, `${options.id}.uts`), ipc }
}

/** Makes the namespaces, with lo up and the host name set: one process, about 5 ms. Run again, it starts from nothing. */
export async function createNamespaces(namespaces: SandboxNamespaces, hostname: string): Promise<void> {
  const { netns, uts, ipc } = namespaces
  await removeNamespaces(namespaces)
  for (const path of filesOf(namespaces)) {
    await mkdir(join(path, '..'), { recursive: true })
    await writeFile(path, '', { mode: 0o444 })
  }
  if (netns === undefined || uts === undefined) {
    await exec('unshare', [`--ipc=${ipc}`, 'true'])
    return
  }
  const prepare = ['busybox', 'sh', '-c', 'hostname "$0" && ip link set lo up', hostname]
  await exec('unshare', [`--net=${netns}`, `--uts=${uts}`, `--ipc=${ipc}`, ...prepare])
}

/** Unbinds and removes the files; the kernel ends each namespace with its last process. */
export async function removeNamespaces(namespaces: SandboxNamespaces): Promise<void> {
  for (const path of filesOf(namespaces)) {
    unmount(path)
    await rm(path, { force: true })
  }
}

/** Whether the namespaces are still bound: not after the node was started anew. */
export async function namespacesExist(namespaces: SandboxNamespaces): Promise<boolean> {
  const checks = await Promise.all(filesOf(namespaces).map(isNamespaceFile))
  return checks.every(Boolean)
}

function filesOf({ netns, uts, ipc }: SandboxNamespaces): string[] {
  return [netns, uts, ipc].filter((path) => path !== undefined)
}

async function isNamespaceFile(path: string): Promise<boolean> {
  try {
    return (await statfs(path)).type === nsfsMagic
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

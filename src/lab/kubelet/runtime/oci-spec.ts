import { capabilitiesFor } from './capabilities.ts'
import type { SandboxNamespaces } from './sandbox.ts'

/** What one container is made of, resolved from pod and image; the pure input of its OCI configuration. */
export interface ContainerSpec {
  readonly id: string
  readonly rootfs: string
  readonly args: readonly string[]
  readonly env: readonly string[]
  readonly cwd: string
  readonly isTerminal: boolean
  readonly user: { uid: number; gid: number; additionalGids: readonly number[] }
  readonly isPrivileged: boolean
  readonly isReadOnly: boolean
  readonly addedCapabilities: readonly string[]
  readonly droppedCapabilities: readonly string[]
  readonly noNewPrivileges: boolean
  readonly namespaces: SandboxNamespaces
  readonly sharesHostPid: boolean
  readonly binds: readonly Bind[]
}

export interface Bind {
  readonly source: string
  readonly destination: string
  readonly isReadOnly: boolean
}

/** A process as an OCI runtime starts it, first of a container or added by exec. */
export interface OciProcess {
  terminal: boolean
  user: { uid: number; gid: number; additionalGids: readonly number[] }
  args: readonly string[]
  env: readonly string[]
  cwd: string
  capabilities: Record<'bounding' | 'effective' | 'permitted', readonly string[]>
  noNewPrivileges: boolean
}

/** The container's config.json (OCI runtime specification 1.0). */
export function buildOciSpec(spec: ContainerSpec): object {
  return {
    ociVersion: '1.0.0',
    process: buildProcess(spec),
    root: { path: spec.rootfs, readonly: spec.isReadOnly },
    mounts: [...standardMounts(spec.isPrivileged), ...spec.binds.map(bindMount)],
    linux: {
      namespaces: namespaceList(spec),
      ...(spec.isPrivileged ? {} : { maskedPaths, readonlyPaths }),
    },
  }
}

function buildProcess(spec: ContainerSpec): OciProcess {
  const capabilities = capabilitiesFor(spec)
  // A user other than root starts with none in effect, as execve(2) would leave it.
  const inEffect = spec.user.uid === 0 ? capabilities : []
  return {
    terminal: spec.isTerminal,
    user: spec.user,
    args: spec.args,
    env: spec.env,
    cwd: spec.cwd,
    capabilities: { bounding: capabilities, effective: inEffect, permitted: inEffect },
    noNewPrivileges: spec.noNewPrivileges,
  }
}

function namespaceList({ namespaces, sharesHostPid }: ContainerSpec): { type: string; path?: string }[] {
  return [
    { type: 'mount' },
    ...(sharesHostPid ? [] : [{ type: 'pid' }]),
    { type: 'ipc', path: namespaces.ipc },
    ...(namespaces.netns === undefined ? [] : [{ type: 'network', path: namespaces.netns }]),
    ...(namespaces.uts === undefined ? [] : [{ type: 'uts', path: namespaces.uts }]),
  ]
}

function standardMounts(isPrivileged: boolean): object[] {
  const access = isPrivileged ? 'rw' : 'ro'
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=64m'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
  ]
}

function bindMount(bind: Bind): object {
  const access = bind.isReadOnly ? 'ro' : 'rw'
  return { destination: bind.destination, type: 'bind', source: bind.source, options: ['rbind', 'rprivate', access] }
}

const maskedPaths = [
  '/proc/kcore',
  '/proc/keys',
  '/proc/timer_list',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
]
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

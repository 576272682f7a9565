/** What container runtimes grant when a pod says nothing; with NET_RAW, so that ping works. */
const granted = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
]

const all = [
  ...granted,
  'AUDIT_CONTROL',
  'AUDIT_READ',
  'BLOCK_SUSPEND',
  'BPF',
  'CHECKPOINT_RESTORE',
  'DAC_READ_SEARCH',
  'IPC_LOCK',
  'IPC_OWNER',
  'LEASE',
  'LINUX_IMMUTABLE',
  'MAC_ADMIN',
  'MAC_OVERRIDE',
  'NET_ADMIN',
  'NET_BROADCAST',
  'PERFMON',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_MODULE',
  'SYS_NICE',
  'SYS_PACCT',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'WAKE_ALARM',
]

/** The capabilities of a container, `CAP_` in front: the default set or all, plus what is added, minus what is dropped. */
export function capabilitiesFor(options: {
  isPrivileged: boolean
  addedCapabilities: readonly string[]
  droppedCapabilities: readonly string[]
}): string[] {
  if (options.isPrivileged) return all.map(withPrefix)
  const added = options.addedCapabilities.map(withoutPrefix)
  const dropped = options.droppedCapabilities.map(withoutPrefix)
  const base = dropped.includes('ALL') ? [] : added.includes('ALL') ? all : granted
  const kept = base.filter((name) => !dropped.includes(name))
  return [...new Set([...kept, ...added.filter((name) => name !== 'ALL')])].map(withPrefix)
}

function withPrefix(name: string): string {
  return `CAP_${name}`
}

function withoutPrefix(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, '')
}

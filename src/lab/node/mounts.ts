/** Trees of the host that a node sees through a private overlay: it may change them, the host does not notice. */
const overlaid = ['/etc', '/opt', '/var'] as const

/** Folders that start empty in a node, whatever the host has there. */
const emptied = [
  '/etc/cni',
  '/etc/kubernetes',
  '/etc/openvswitch',
  '/etc/ovn',
  '/etc/twinlane',
  '/opt/cni',
  '/opt/twinlane',
  '/var/lib/cni',
  '/var/lib/kubelet',
  '/var/lib/openvswitch',
  '/var/lib/ovn',
  '/var/lib/twinlane',
  '/var/log/openvswitch',
  '/var/log/ovn',
] as const

/** Folders that programs expect a distribution's start scripts to have made. */
const runFolders = ['bird', 'lock', 'netns', 'openvswitch', 'ovn', 'twinlane'] as const

/** Executables that a node has beside the host's. */
export const nodeBinFolder = '/opt/twinlane/bin'

/** Busybox stands in for tools that the host may not have; last in the PATH. */
const standInFolder = '/opt/twinlane/busybox'
const standIns = ['ping', 'wget', 'nc', 'traceroute', 'vi', 'less'] as const

/** PATH of everything that runs in a node. */
export const nodePath = `${nodeBinFolder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${standInFolder}`

export interface MountsOptions {
  hostname: string
  /** Lines of /etc/hosts after those of the loopback. */
  hosts: readonly string[]
  /** Folders of the host that must stay visible under their own path: the program's and the lab's state. */
  visible: readonly string[]
}

/**
 * The script that is a node's first process, for `sh -eu -c`. It makes the node's own view of the machine, says
 * `ready` on descriptor 3 and then becomes `cat`: it ends, and with it everything in the node, when the supervisor's
 * end of standard input closes. With SIGCHLD ignored the kernel reaps the node's orphans (dash's trap cannot do it).
 *
 * The upper layers are on a tmpfs: this works whatever file system the host has under /etc or the state folder
 * (overlayfs refuses an upper layer on itself, or one inside its own lower layer), and a dead node leaves nothing.
 */
export function buildInitScript(options: MountsOptions): string {
  const kept = options.visible.filter((path) => [...overlaid, '/run'].some((tree) => isUnder(tree, path)))
  return [
    'mount -t tmpfs -o mode=755 tmpfs /mnt',
    ...kept.map((path, index) => `mkdir -p /mnt/visible/${index}; mount --rbind ${quote(path)} /mnt/visible/${index}`),
    ...overlaid.map(overlay),
    'mount -t tmpfs -o mode=755 tmpfs /run',
    ...kept.map((path, index) => `mkdir -p ${quote(path)}; mount --move /mnt/visible/${index} ${quote(path)}`),
    'umount -l /mnt',
    'mount -t proc proc /proc',
    'mount -t sysfs sysfs /sys',
    `rm -rf ${emptied.join(' ')}`,
    `mkdir -p ${emptied.join(' ')} ${nodeBinFolder} ${standInFolder} /etc/cni/net.d /opt/cni/bin`,
    `for tool in ${standIns.join(' ')}; do ln -s /bin/busybox ${standInFolder}/$tool; done`,
    `mkdir -p ${runFolders.map((name) => `/run/${name}`).join(' ')}`,
    ...identity(options),
    'ip link set lo up',
    'echo ready >&3',
    'exec 3>&-',
    'exec env --ignore-signal=CHLD cat >/dev/null',
  ].join('\n')
}

function overlay(path: string): string {
  const layers = `/mnt${path}`
  return [
    `mkdir -p ${layers}/upper ${layers}/work`,
    `mount -t overlay overlay -o lowerdir=${path},upperdir=${layers}/upper,workdir=${layers}/work ${path}`,
  ].join('; ')
}

function identity(options: MountsOptions): string[] {
  const hosts = ['127.0.0.1 localhost', '::1 localhost ip6-localhost', ...options.hosts]
  return [
    `hostname ${options.hostname}`,
    'rm -f /etc/hostname /etc/hosts /etc/resolv.conf',
    `echo ${options.hostname} > /etc/hostname`,
    `printf '%s\\n' ${hosts.map(quote).join(' ')} > /etc/hosts`,
    'echo "# no name server in the lab" > /etc/resolv.conf',
  ]
}

function isUnder(tree: string, path: string): boolean {
  return path === tree || path.startsWith(`${tree}/`)
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

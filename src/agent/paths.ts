import type { NodePaths } from '../networks/driver.ts'
import type { DeviceFolders } from './devices/devices.ts'

/** Where things are on this host. */
export interface AgentPaths extends NodePaths, DeviceFolders {
  readonly cniSocket: string
  readonly netConfFolder: string
  /** The built shim that is installed into the first of `cniBinFolders`. */
  readonly shim: string
}

/** The paths of a host that is set up as usual. */
export function defaultPaths(shim: string): AgentPaths {
  return {
    shim,
    stateFolder: '/var/lib/twinlane',
    runFolder: '/run/twinlane',
    birdSocket: '/run/bird/bird.ctl',
    birdConfigFile: '/etc/bird/bird.conf',
    ovsdbSocket: '/run/openvswitch/db.sock',
    cniBinFolders: ['/opt/cni/bin'],
    cniSocket: '/run/twinlane/cni.sock',
    netConfFolder: '/etc/cni/net.d',
    kubeletFolder: '/var/lib/kubelet',
    deviceInfoFolder: '/var/run/k8s.cni.cncf.io/devinfo',
  }
}

import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** Where a lab keeps what it needs between commands. All of it goes with `lab down`. */
export interface StateFolder {
  readonly folder: string
  /** Who runs: the supervisor and the first process of each node. */
  readonly recordFile: string
  readonly supervisorLog: string
  readonly kubeconfig: string
  /** Lists where `lab up --kubeconfig` has written copies, one path a line. */
  readonly kubeconfigCopies: string
  readonly pkiFolder: string
  readonly apiFolder: string
  readonly nodesFolder: string
  logFile(node: string, process: string): string
  /** Everything a lab may have put into the folder. */
  readonly entries: readonly string[]
  /**
   * Abstract unix socket (no file) that a running supervisor listens on. The kernel gives it to one process at a time
   * and takes it back when that dies, so it is the lock as well, and never stale.
   */
  readonly controlSocket: string
}

/** The default place, under the current folder. */
export const defaultStateFolder = '.twinlane/lab'

/** `folder` is an absolute path without symbolic links, so that one lab has one control socket. */
export function stateFolder(folder: string): StateFolder {
  const names = ['lab.json', 'supervisor.log', 'kubeconfig', 'kubeconfig-copies', 'pki', 'api', 'nodes']
  const at = (name: string): string => join(folder, name)
  const digest = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return {
    folder,
    recordFile: at('lab.json'),
    supervisorLog: at('supervisor.log'),
    kubeconfig: at('kubeconfig'),
    kubeconfigCopies: at('kubeconfig-copies'),
    pkiFolder: at('pki'),
    apiFolder: at('api'),
    nodesFolder: at('nodes'),
    logFile: (node, process) => join(folder, 'nodes', node, 'log', `${process}.log`),
    entries: names.map(at),
    controlSocket: `\0twinlane-lab-${digest}`,
  }
}

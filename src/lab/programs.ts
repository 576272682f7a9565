import { join } from 'node:path'
import type { LabPrograms } from './lab.ts'

/** Where the bundled programs of a package folder are. `node` is the Node.js executable that runs them. */
export function programsIn(packageFolder: string, node: string): LabPrograms {
  const at = (name: string): string => join(packageFolder, 'dist', name)
  return {
    node,
    packageFolder,
    agent: at('agent.js'),
    controller: at('controller.js'),
    kubelet: at('kubelet.js'),
    cli: at('cli.js'),
    shim: at('twinlane-shim'),
  }
}

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NotFoundError } from '../base/errors.ts'
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

/** The bundled supervisor beside the bundle that `url` is in, or in the package's dist folder when run from source. */
export function findSupervisor(url: string): string {
  const candidates: string[] = []
  for (let folder = dirname(fileURLToPath(url)); folder !== dirname(folder); folder = dirname(folder)) {
    candidates.push(join(folder, 'lab-supervisor.js'), join(folder, 'dist', 'lab-supervisor.js'))
  }
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new NotFoundError('dist/lab-supervisor.js is not there', { fix: 'Run "npm run build".' })
}

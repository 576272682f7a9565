import { realpath } from 'node:fs/promises'
import { constants } from 'node:os'
import { NotFoundError, TwinlaneError } from '../base/errors.ts'
import { spawnProcess } from '../base/exec.ts'
import { fabricName } from './config-checks.ts'
import { findStatus } from './control-socket.ts'
import { enterArguments, nodeEnvironment } from './node/command.ts'
import { isAlive, type ProcessId } from './node/process-id.ts'
import { stateFolder } from './state-folder.ts'
import type { LabStatus } from './status.ts'

/** The status of the lab of a folder. Throws NotFoundError when none runs there. */
export async function getRunningLab(folder: string): Promise<LabStatus> {
  const path = await realpath(folder).catch(() => folder)
  const status = await findStatus(stateFolder(path).controlSocket)
  if (status !== undefined) return status
  throw new NotFoundError(`no lab runs in ${folder}`, {
    fix: 'Start one with "twinlane lab up", or name its folder with --state.',
  })
}

/** First process of a node, or of the router by the name `tor`. Throws NotFoundError listing the names there are. */
export async function getHost(status: LabStatus, name: string): Promise<ProcessId> {
  const hosts = new Map(status.nodes.map((node) => [node.name, node.init]))
  if (status.fabric !== undefined) hosts.set(fabricName, status.fabric)
  const init = hosts.get(name)
  if (init === undefined) {
    throw new NotFoundError(`the lab has no node "${name}"`, { fix: `Name one of ${[...hosts.keys()].join(', ')}.` })
  }
  if (!(await isAlive(init))) {
    throw new TwinlaneError(`${name} is dead`, { fix: 'Run "twinlane lab down" and "twinlane lab up".' })
  }
  return init
}

/** Runs a command on a host of the lab with the caller's own input and output. Resolves with its exit code. */
export async function execOnHost(options: {
  status: LabStatus
  host: string
  command: readonly string[]
  env: NodeJS.ProcessEnv
}): Promise<number> {
  const init = await getHost(options.status, options.host)
  const child = spawnProcess('nsenter', enterArguments(init.pid, options.command), {
    cwd: '/',
    env: nodeEnvironment(options.env),
    stdio: 'inherit',
  })
  // The terminal sends Ctrl-C to the command too: it decides what to do with it.
  const ignore = (): void => {}
  process.on('SIGINT', ignore)
  try {
    return await exitCodeOf(child)
  } finally {
    process.off('SIGINT', ignore)
  }
}

function exitCodeOf(child: ReturnType<typeof spawnProcess>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    // 128 + n: what a shell says of a command that signal n ended.
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0)))
  })
}

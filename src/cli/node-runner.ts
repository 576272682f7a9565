import { TwinlaneError } from '../base/errors.ts'
import { type ExecResult, exec, shellLine } from '../base/exec.ts'
import { enterArguments, nodeEnvironment } from '../lab/node/command.ts'
import { getHost, getRunningLab } from '../lab/running.ts'

/** Runs a command on a node of the cluster, as root; resolves with its output. Throws ExecError. */
export type NodeRunner = (node: string, command: readonly string[]) => Promise<string>

const timeoutMs = 30_000

/** On nodes of the lab that runs in this folder. Throws NotFoundError when none does. */
export async function labRunner(stateFolder: string): Promise<NodeRunner> {
  const status = await getRunningLab(stateFolder)
  return async (node, command) => {
    const init = await getHost(status, node)
    const options = { cwd: '/', env: nodeEnvironment(), timeoutMs }
    return outputOf(await exec('nsenter', enterArguments(init.pid, command), options))
  }
}

/** By a shell command in which `{node}` stands for the name, such as `ssh root@{node}`; the command follows quoted. */
export function templateRunner(template: string): NodeRunner {
  return async (node, command) => {
    if (!/^[A-Za-z0-9.-]+$/.test(node)) throw new TwinlaneError(`"${node}" is no name of a node`)
    const [program = '', ...rest] = command
    const line = `${template.replaceAll('{node}', node)} ${shellLine('sh', ['-c', shellLine(program, rest)])}`
    return outputOf(await exec('sh', ['-c', line], { timeoutMs }))
  }
}

/** On this node only. */
export function localRunner(): NodeRunner {
  return async (_node, [program = '', ...rest]) => outputOf(await exec(program, rest, { timeoutMs }))
}

function outputOf({ stdout }: ExecResult): string {
  return stdout
}

import { existsSync, realpathSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { type ExecResult, exec, spawnProcess } from '../../src/base/exec.ts'
import { Emitter, waitFor } from '../../src/base/observable.ts'

export interface KubectlBinary {
  /** 1.32, or "on PATH" when its version is not in its name. */
  version: string
  path: string
}

const wanted = ['1.30', '1.31', '1.32', '1.33']
const anyCode = Array.from({ length: 256 }, (_, code) => code)

/**
 * The kubectl programs to test with. Some distributions install a dispatcher with the versioned programs beside it; the
 * dispatcher itself would pick a version by the server's, so the versioned ones are called.
 */
export function findKubectls(): KubectlBinary[] {
  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'kubectl'))
    .find(existsSync)
  if (onPath === undefined) return []
  const beside = wanted
    .map((version) => ({ version, path: join(dirname(realpathSync(onPath)), `kubectl.${version}`) }))
    .filter(({ path }) => existsSync(path))
  return beside.length > 0 ? beside : [{ version: 'on PATH', path: onPath }]
}

export interface RunningKubectl {
  /** Resolves with all output so far as soon as it satisfies `isEnough`; rejects when it does not in time. */
  until(isEnough: (output: string) => boolean, timeoutMs?: number): Promise<string>
  stop(): void
}

export interface Kubectl {
  /** Runs to the end; any exit code is an answer. */
  (...args: string[]): Promise<ExecResult>
  withInput(input: string | object, ...args: string[]): Promise<ExecResult>
  withEnv(env: Record<string, string>, ...args: string[]): Promise<ExecResult>
  /** Starts one that goes on; the caller stops it. */
  start(...args: string[]): RunningKubectl
  close(): Promise<void>
}

/** A kubectl with a home of its own, as its discovery cache lives there. */
export async function createKubectl(binary: KubectlBinary, kubeconfig: string): Promise<Kubectl> {
  const home = await mkdtemp(join(tmpdir(), 'twinlane-kubectl-'))
  const env = { PATH: process.env.PATH ?? '', HOME: home, TMPDIR: home, KUBECONFIG: kubeconfig }
  const run = (args: string[], options: object = {}): Promise<ExecResult> =>
    exec(binary.path, args, { env, timeoutMs: 60_000, okCodes: anyCode, ...options })
  return Object.assign((...args: string[]) => run(args), {
    withInput: (input: string | object, ...args: string[]) =>
      run(args, { input: typeof input === 'string' ? input : JSON.stringify(input) }),
    withEnv: (more: Record<string, string>, ...args: string[]) => run(args, { env: { ...env, ...more } }),
    start: (...args: string[]) => start(binary.path, args, env),
    close: () => rm(home, { recursive: true, force: true }),
  })
}

function start(path: string, args: string[], env: NodeJS.ProcessEnv): RunningKubectl {
  const child = spawnProcess(path, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const changed = new Emitter<void>()
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      changed.emit()
    })
  }
  return {
    until: (isEnough, timeoutMs = 20_000) =>
      waitFor({ onChange: (listener) => changed.on(listener) }, () => (isEnough(output) ? output : undefined), {
        what: `the expected output of kubectl ${args.join(' ')}`,
        timeoutMs,
        detail: () => output,
      }),
    stop: () => child.kill('SIGKILL'),
  }
}

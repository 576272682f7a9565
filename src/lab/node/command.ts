import { nodePath } from './mounts.ts'

/** Environment of everything in a node: nothing of the caller's that could change how a program behaves. */
export function nodeEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: nodePath, HOME: '/root', LANG: 'C.UTF-8', MALLOC_ARENA_MAX: '2', ...extra }
}

/** Arguments of `nsenter` that run a command as on that host; entering the mount namespace makes its root the working folder. */
export function enterArguments(initPid: number, command: readonly string[]): string[] {
  return ['--target', String(initPid), '--mount', '--uts', '--ipc', '--net', '--pid', '--', ...command]
}

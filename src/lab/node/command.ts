import { nodePath } from './mounts.ts'

/** Makes glibc give memory back that was needed at the start only. */
const thriftyMalloc = { MALLOC_ARENA_MAX: '1', MALLOC_TRIM_THRESHOLD_: '65536', MALLOC_MMAP_THRESHOLD_: '65536' }

/** Environment of everything in a node: nothing of the caller's that could change how a program behaves. */
export function nodeEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: nodePath, HOME: '/root', LANG: 'C.UTF-8', ...thriftyMalloc, ...extra }
}

/** Arguments of `nsenter` that run a command as on that host; entering the mount namespace makes its root the working folder. */
export function enterArguments(initPid: number, command: readonly string[]): string[] {
  return ['--target', String(initPid), '--mount', '--uts', '--ipc', '--net', '--pid', '--', ...command]
}

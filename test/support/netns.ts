import { exec } from '../../src/base/exec.ts'

let count = 0

/** Makes a named network namespace and returns its path. Root tests run in a mount namespace with its own /run/netns. */
export async function makeNetns(): Promise<string> {
  const name = `t${process.pid}-${++count}`
  await exec('ip', ['netns', 'add', name])
  return `/run/netns/${name}`
}

export async function removeNetns(path: string): Promise<void> {
  await exec('ip', ['netns', 'delete', path.replace('/run/netns/', '')], { okCodes: [0, 1] })
}

/** Runs `ip …` in a namespace and returns what it prints. */
export async function ip(netns: string, ...args: string[]): Promise<string> {
  return (await exec('nsenter', [`--net=${netns}`, 'ip', ...args])).stdout
}

/** Runs `ip -j …` in a namespace and returns its answer. */
export async function ipJson(netns: string, ...args: string[]): Promise<Record<string, unknown>[]> {
  const text = await ip(netns, '-j', ...args)
  return text.trim() === '' ? [] : (JSON.parse(text) as Record<string, unknown>[])
}

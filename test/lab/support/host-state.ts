import { readdir, readFile } from 'node:fs/promises'
import { exec } from '../../../src/base/exec.ts'

/** The parts of the host that a lab must never change, as text that can be compared. */
export type HostState = Record<string, string>

const commands: Record<string, readonly string[]> = {
  links: ['ip', '-d', 'link'],
  addresses: ['ip', '-o', 'addr'],
  routes: ['ip', 'route', 'show', 'table', 'all'],
  'IPv6 routes': ['ip', '-6', 'route', 'show', 'table', 'all'],
  rules: ['ip', 'rule'],
  'IPv6 rules': ['ip', '-6', 'rule'],
  nftables: ['nft', 'list', 'ruleset'],
}

/** Keys that the kernel itself changes all the time. */
const volatileSysctl = /nf_conntrack_count|random|\.stat\b/

export async function readHostState(): Promise<HostState> {
  const state: HostState = {}
  for (const [name, command] of Object.entries(commands)) state[name] = await outputOf(command)
  state['named namespaces'] = (await readdir('/run/netns').catch(() => [])).join('\n')
  state.mounts = await readFile('/proc/self/mountinfo', 'utf8')
  return state
}

/** Network sysctls by key. */
export async function readSysctls(): Promise<Map<string, string>> {
  const text = await outputOf(['sysctl', '-a', '--pattern', '^net[.]'])
  const pairs = text.split('\n').map((line) => line.split(' = '))
  return new Map(pairs.flatMap(([key, value]) => (key && !volatileSysctl.test(key) ? [[key, value ?? '']] : [])))
}

async function outputOf([command = '', ...args]: readonly string[]): Promise<string> {
  const { stdout } = await exec(command, args, { okCodes: [0, 1, 255] })
  // Lifetimes of addresses count down.
  return stdout.replaceAll(/valid_lft \d+sec preferred_lft \d+sec|expires \d+sec/g, '')
}

import { KernelError } from './errors.ts'
import type { Netns } from './kernel.ts'

/** `code` of the KernelError when libnftables is not installed. */
export const NO_LIBRARY = 'ENOLIBRARY'

/** nft tells the errno only in words. */
const CODES: readonly [words: string, code: string][] = [
  ['No such file or directory', 'ENOENT'],
  ['File exists', 'EEXIST'],
  ['Operation not permitted', 'EPERM'],
  ['Device or resource busy', 'EBUSY'],
  ['not supported', 'EOPNOTSUPP'],
]

/** How nft names where the commands came from, up to the line number. */
const SOURCE_FILE = /(?:\/proc\/self\/fd\/\d+|\/dev\/stdin):/g

/** The error of a refused transaction. */
export function nftError(commands: string, message: string): KernelError {
  const code = CODES.find(([words]) => message.includes(words))?.[1] ?? 'EINVAL'
  return new KernelError(`nft: ${summary(commands)}`, code, message.trim().replaceAll(SOURCE_FILE, 'line '))
}

/** What to put before a command so that it runs in a namespace. */
export function netnsArguments(netns: Netns): string[] {
  return netns === undefined ? [] : ['nsenter', `--net=${netns}`, '--']
}

function summary(commands: string): string {
  const [first = '', ...rest] = commands.trim().split('\n')
  return rest.length === 0 ? first : `${first} … (${rest.length + 1} lines)`
}

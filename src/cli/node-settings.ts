import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { errorCode, NotFoundError } from '../base/errors.ts'

/** The `networks` part of the agent's configuration file. Throws NotFoundError with what to do where there is none. */
export async function readNetworkSettings(file: string): Promise<Record<string, unknown>> {
  return (await readNodeConfig(file)).networks
}

/** What commands need of the agent's configuration file. Throws NotFoundError. */
export async function readNodeConfig(
  file: string,
): Promise<{ nodeName: string | undefined; networks: Record<string, unknown> }> {
  const config: unknown = parse(await readNodeFile(file, '--config'))
  const { nodeName, networks } = (typeof config === 'object' && config !== null ? config : {}) as Record<
    string,
    unknown
  >
  return {
    nodeName: typeof nodeName === 'string' ? nodeName : undefined,
    networks: (networks ?? {}) as Record<string, unknown>,
  }
}

/** A file that nodes have. `flag` names the copy of one elsewhere. */
export async function readNodeFile(file: string, flag: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if (errorCode(cause) !== 'ENOENT') throw cause
    throw new NotFoundError(`there is no ${file}`, {
      cause,
      fix: `run this on a node, or name a copy of its file with ${flag}`,
    })
  }
}

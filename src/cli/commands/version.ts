import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors.ts'
import { isUnreachable } from '../../kube/errors.ts'
import { addConnectionFlags, type ConnectionFlags, connect } from '../connection.ts'
import { type CliIo, print } from '../io.ts'
import { version } from '../version.ts'

export function registerVersion(program: Command, io: CliIo): void {
  const command = program
    .command('version')
    .description('Show the version of this program and, where one can be reached, of the API server.')
    .option('--client', 'do not ask the API server')
  addConnectionFlags(command).action(async (flags: ConnectionFlags & { client?: boolean }) => {
    print(io, `Client Version: ${version}`)
    if (flags.client === true) return
    const server = await findServerVersion(io, flags)
    if (server !== undefined) print(io, `Server Version: ${server}`)
  })
}

/** No server is no failure: the client has a version on its own. A kubeconfig that was named must be right. */
async function findServerVersion(io: CliIo, flags: ConnectionFlags): Promise<string | undefined> {
  try {
    const { client } = await connect(io, flags)
    return ((await client.raw('GET', '/version')) as { gitVersion?: string }).gitVersion
  } catch (error) {
    const isAway = isUnreachable(error) || error instanceof NotFoundError
    if (isAway && flags.kubeconfig === undefined) return undefined
    throw error
  }
}

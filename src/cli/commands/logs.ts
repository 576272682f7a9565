import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { objectPath, withQuery } from '../../kube/path.ts'
import { pods } from '../../kube/resources/core.ts'
import { addConnectionFlags, addNamespaceFlag, type ConnectionFlags, connect } from '../connection.ts'
import { parseDurationMs, parseWholeNumber } from '../duration.ts'
import type { CliIo } from '../io.ts'
import { podName } from '../targets.ts'

interface LogsFlags extends ConnectionFlags {
  container?: string
  follow?: boolean
  previous?: boolean
  tail?: number
  since?: number
  timestamps?: boolean
}

export function registerLogs(program: Command, io: CliIo): void {
  const command = program
    .command('logs')
    .description('Show what a container has written to its standard output and error.')
    .argument('<pod>', 'name of the pod')
    .option('-c, --container <name>', 'container of the pod')
    .option('-f, --follow', 'go on and show what it writes')
    .option('--previous', 'of the container that ran before this one')
    .option('--tail <lines>', 'only so many of the last lines', parseWholeNumber)
    .option('--since <time>', 'only what is younger, e.g. 5m', parseDurationMs)
    .option('--timestamps', 'with the time of each line')
    .addHelpText('after', '\nExamples:\n  twinlane logs busybox3 --tail 20 -f')
  addNamespaceFlag(addConnectionFlags(command)).action((pod: string, flags: LogsFlags) => runLogs(io, pod, flags))
}

async function runLogs(io: CliIo, pod: string, flags: LogsFlags): Promise<void> {
  const { transport, namespace } = await connect(io, flags)
  const path = withQuery(`${objectPath(pods, podName(pod), namespace)}/log`, {
    container: flags.container,
    follow: flags.follow,
    previous: flags.previous,
    tailLines: flags.tail === -1 ? undefined : flags.tail,
    sinceSeconds: flags.since === undefined ? undefined : Math.max(1, Math.round(flags.since / 1000)),
    timestamps: flags.timestamps,
  })
  const body = await transport.stream({ method: 'GET', path, headers: { accept: '*/*' }, idleTimeoutMs: 0 })
  await pipeline(body, io.stdout, { end: false })
}

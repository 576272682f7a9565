import type { Command } from 'commander'
import { objectPath } from '../../kube/path.ts'
import { pods } from '../../kube/resources/core.ts'
import { addConnectionFlags, addNamespaceFlag, type ConnectionFlags, connect } from '../connection.ts'
import { execInContainer } from '../exec-session.ts'
import { type CliIo, note } from '../io.ts'
import { podName } from '../targets.ts'

interface ExecFlags extends ConnectionFlags {
  container?: string
  stdin?: boolean
  tty?: boolean
}

export function registerExec(program: Command, io: CliIo): void {
  const command = program
    .command('exec')
    .description("Run a command in a container. The exit code is the command's own.")
    .argument('<pod>', 'name of the pod')
    .argument('<command...>', 'the command, after --')
    .option('-c, --container <name>', 'container of the pod')
    .option('-i, --stdin', 'pass standard input on')
    .option('-t, --tty', 'give the command a terminal')
    .addHelpText('after', '\nExamples:\n  twinlane exec busybox3 -- ip route\n  twinlane exec -it busybox3 -- sh')
  addNamespaceFlag(addConnectionFlags(command)).action((pod: string, words: string[], flags: ExecFlags) =>
    runExec(io, pod, { words, flags }),
  )
}

async function runExec(io: CliIo, pod: string, { words, flags }: { words: string[]; flags: ExecFlags }): Promise<void> {
  const { transport, namespace } = await connect(io, flags)
  const wantsTty = flags.tty === true
  const hasTty = wantsTty && flags.stdin === true && io.stdin.isTTY === true
  if (wantsTty && !hasTty) note(io, 'no terminal for the command: standard input is none, or -i is missing')
  const query = new URLSearchParams(words.map((word): [string, string] => ['command', word]))
  if (flags.container !== undefined) query.set('container', flags.container)
  if (flags.stdin === true) query.set('stdin', 'true')
  query.set('stdout', 'true')
  // A terminal has one output: the server refuses both.
  query.set(hasTty ? 'tty' : 'stderr', 'true')
  const path = `${objectPath(pods, podName(pod), namespace)}/exec?${query}`
  io.setExitCode(await execInContainer(io, transport, { path, hasStdin: flags.stdin === true, hasTty }))
}

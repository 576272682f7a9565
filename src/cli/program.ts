import { Command } from 'commander'
import type { CliIo } from './io.ts'
import { version } from './version.ts'

/** Adds one command with all its flags to its parent. A command's file exports one of these. */
export type Register = (program: Command, io: CliIo) => void

interface CommandEntry {
  readonly name: string
  readonly group: string
  readonly summary: string
  readonly load: () => Promise<Register>
}

const objects = 'Objects:'
const podGroup = 'Pods:'
const nodeGroup = 'This node and this machine:'

/**
 * Every command, in the order of the help. A command's file is loaded only when it is asked for, so that
 * `twinlane --help` and `twinlane node status` need not wait for what speaks HTTP, YAML or WebSocket.
 */
const commands: readonly CommandEntry[] = [
  {
    name: 'get',
    group: objects,
    summary: 'show objects',
    load: async () => (await import('./commands/get.ts')).registerGet,
  },
  {
    name: 'apply',
    group: objects,
    summary: 'create or change objects from files',
    load: async () => (await import('./commands/apply.ts')).registerApply,
  },
  {
    name: 'create',
    group: objects,
    summary: 'create objects from files',
    load: async () => (await import('./commands/create.ts')).registerCreate,
  },
  {
    name: 'replace',
    group: objects,
    summary: 'replace objects by those in files',
    load: async () => (await import('./commands/replace.ts')).registerReplace,
  },
  {
    name: 'delete',
    group: objects,
    summary: 'delete objects by name, label or file',
    load: async () => (await import('./commands/delete.ts')).registerDelete,
  },
  {
    name: 'patch',
    group: objects,
    summary: 'change fields of an object',
    load: async () => (await import('./commands/patch.ts')).registerPatch,
  },
  {
    name: 'label',
    group: objects,
    summary: 'set or remove labels',
    load: async () => (await import('./commands/label.ts')).registerLabel,
  },
  {
    name: 'annotate',
    group: objects,
    summary: 'set or remove annotations',
    load: async () => (await import('./commands/annotate.ts')).registerAnnotate,
  },
  {
    name: 'wait',
    group: objects,
    summary: 'wait for a condition, a value or a deletion',
    load: async () => (await import('./commands/wait.ts')).registerWait,
  },
  {
    name: 'exec',
    group: podGroup,
    summary: 'run a command in a container',
    load: async () => (await import('./commands/exec.ts')).registerExec,
  },
  {
    name: 'logs',
    group: podGroup,
    summary: 'show what a container has written',
    load: async () => (await import('./commands/logs.ts')).registerLogs,
  },
  {
    name: 'lint',
    group: objects,
    summary: 'check networks and annotations in files before they are applied',
    load: async () => (await import('./commands/lint.ts')).registerLint,
  },
  {
    name: 'validate',
    group: objects,
    summary: 'check files by the rules of our kinds, without a cluster',
    load: async () => (await import('./commands/validate.ts')).registerValidate,
  },
  {
    name: 'convert',
    group: objects,
    summary: "write files of older versions of Calico's API as projectcalico.org/v3",
    load: async () => (await import('./commands/convert.ts')).registerConvert,
  },
  {
    name: 'preview',
    group: podGroup,
    summary: "a pod's network before there is one",
    load: async () => (await import('./commands/preview/index.ts')).registerPreview,
  },
  {
    name: 'trace',
    group: podGroup,
    summary: "a packet's way from a pod and its answer's, with what decides it",
    load: async () => (await import('./commands/trace.ts')).registerTrace,
  },
  {
    name: 'ipam',
    group: objects,
    summary: 'addresses of the routed network: show, check, release, configure',
    load: async () => (await import('./commands/ipam/index.ts')).registerIpam,
  },
  {
    name: 'bgp',
    group: objects,
    summary: 'BGP of the cluster: status, migrate between mesh, route reflectors and ToR',
    load: async () => (await import('./commands/bgp/index.ts')).registerBgp,
  },
  {
    name: 'ovn',
    group: objects,
    summary: 'the OVN network: show its logical topology',
    load: async () => (await import('./commands/ovn/index.ts')).registerOvn,
  },
  {
    name: 'doctor',
    group: nodeGroup,
    summary: 'what is wrong with the routed network, or hardly meant',
    load: async () => (await import('./commands/doctor.ts')).registerDoctor,
  },
  {
    name: 'lab',
    group: nodeGroup,
    summary: 'a whole cluster on this machine: up, down, status, exec',
    load: async () => (await import('./commands/lab/index.ts')).registerLab,
  },
  {
    name: 'node',
    group: nodeGroup,
    summary: 'this node: BGP sessions, diagnostics',
    load: async () => (await import('./commands/node/index.ts')).registerNode,
  },
  {
    name: 'cni',
    group: nodeGroup,
    summary: "the container runtime's configuration of this node: config",
    load: async () => (await import('./commands/cni/index.ts')).registerCni,
  },
  {
    name: 'version',
    group: nodeGroup,
    summary: 'show the version of this program and of the API server',
    load: async () => (await import('./commands/version.ts')).registerVersion,
  },
]

/** The program with the command of this line in full and the others by name; with `everything`, all in full. */
export async function buildProgram(
  io: CliIo,
  argv: readonly string[],
  options: { everything?: boolean } = {},
): Promise<Command> {
  const program = new Command('twinlane')
    .description('Two networks for every Kubernetes pod: routed BGP on eth0, OVN on eth1.')
    .version(`twinlane ${version}`, '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    })
    .showHelpAfterError('fix: run the same with --help to see what is possible')
    .addHelpText('after', '\nRun twinlane COMMAND --help for the flags and examples of a command.')
  for (const entry of commands) {
    program.commandsGroup(entry.group)
    if (options.everything === true || argv[0] === entry.name || (argv[0] === 'help' && argv[1] === entry.name)) {
      const register = await entry.load()
      register(program, io)
    } else program.command(entry.name).description(entry.summary)
  }
  return program
}

/** Flags before the command (`twinlane -n blue get pods`, as kubectl allows) belong to the command. */
export function commandLine(argv: readonly string[]): string[] {
  const names = new Set(commands.map((entry) => entry.name))
  const at = argv.findIndex((word) => names.has(word))
  const command = argv[at]
  if (command === undefined || at === 0 || argv[0]?.startsWith('-') !== true) return [...argv]
  return [command, ...argv.slice(0, at), ...argv.slice(at + 1)]
}

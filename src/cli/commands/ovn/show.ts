import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { NotFoundError } from '../../../base/errors.ts'
import { silentLog } from '../../../base/log.ts'
import { parseOvnSettings } from '../../../networks/ovn/config.ts'
import { buildModel, type Focus, narrow, type ShownNetwork } from '../../../networks/ovn/show/model.ts'
import { readNorthbound } from '../../../networks/ovn/show/read.ts'
import { renderModel } from '../../../networks/ovn/show/render.ts'
import { type CliIo, print, UsageError } from '../../io.ts'
import { readNetworkSettings } from '../../node-settings.ts'

interface ShowFlags {
  namespace: string
  config: string
  northbound?: string
  output?: 'json'
}

const answerTimeoutMs = 10_000

export function registerOvnShow(ovn: Command, io: CliIo): void {
  ovn
    .command('show')
    .description(
      "Show OVN's logical topology, as `ovn-nbctl show` does, by network and with the names of pods: of the cluster, of\n" +
        'node/NAME, or of pod/NAME. Run it where the northbound database can be reached, such as on a node.',
    )
    .argument('[what]', 'node/NAME or pod/NAME; the whole cluster when not given')
    .option('-n, --namespace <name>', 'namespace of the pod', 'default')
    .addOption(new Option('-o, --output <format>', 'instead of a tree').choices(['json']))
    .option(
      '--config <file>',
      "the agent's configuration file, for the database's address",
      '/etc/twinlane/config.yaml',
    )
    .option('--northbound <remote>', 'the database, instead of the one of the configuration file')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane ovn show\n  twinlane ovn show pod/busybox3\n  twinlane lab exec work01 -- twinlane ovn show node/work01',
    )
    .action(async (what: string | undefined, flags: ShowFlags) => {
      const focus = parseFocus(what, flags.namespace)
      const remote = flags.northbound ?? (await remoteOf(resolve(io.cwd, flags.config)))
      const snapshot = await readNorthbound(remote, { log: silentLog, timeoutMs: answerTimeoutMs })
      print(io, render(narrow(buildModel(snapshot), focus), { what, output: flags.output }))
    })
}

function parseFocus(what: string | undefined, namespace: string): Focus {
  if (what === undefined) return { kind: 'cluster' }
  const [, kind, name = ''] = /^(node|pod)s?\/([^/]+)$/.exec(what) ?? []
  if (kind === 'node') return { kind, name }
  if (kind === 'pod') return { kind, namespace, name }
  throw new UsageError(`"${what}" is neither node/NAME nor pod/NAME`)
}

async function remoteOf(file: string): Promise<string> {
  return parseOvnSettings((await readNetworkSettings(file)).ovn).northbound
}

function render(
  networks: readonly ShownNetwork[],
  { what, output }: { what: string | undefined; output: ShowFlags['output'] },
): string {
  if (networks.length === 0) {
    throw new NotFoundError(`OVN has nothing of ${what ?? 'the cluster'}`, {
      fix: 'look at "twinlane ovn show"; a pod has a port only when it asks for a network of OVN',
    })
  }
  return output === 'json' ? JSON.stringify(networks, undefined, 2) : renderModel(networks)
}

import type { Command } from 'commander'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { type NetworkAttachmentDefinition, networkAttachmentDefinitions } from '../../kube/resources/net-attach-def.ts'
import { lint } from '../../lint/lint.ts'
import { addConnectionFlags, addNamespaceFlag, type ConnectionFlags, connect } from '../connection.ts'
import { collect } from '../duration.ts'
import { type CliIo, note, print, UsageError } from '../io.ts'
import { type ManifestObject, readManifests } from '../manifest.ts'
import { type PlacedFinding, place, renderFinding } from '../placed-finding.ts'

interface LintFlags extends ConnectionFlags {
  filename?: string[]
  recursive?: boolean
  cluster?: boolean
  strict?: boolean
  output?: 'text' | 'json'
  globalNamespaces?: string
}

export function registerLint(program: Command, io: CliIo): void {
  const command = program
    .command('lint')
    .description(
      'Check NetworkAttachmentDefinitions and the network annotations of pods before they are applied. Exit code 0: nothing wrong, 1: errors (with --strict: or warnings), 2: the files cannot be read.',
    )
    .option('-f, --filename <file>', 'file, folder or - for standard input; may be given several times', collect)
    .option('-R, --recursive', 'with a folder: those below it too')
    .option('--cluster', 'know the networks of the cluster too')
    .option('--global-namespaces <list>', 'pods may use networks of their own namespace and of these only')
    .option('--strict', 'warnings are errors')
    .option('-o, --output <format>', 'text or json', 'text')
  addNamespaceFlag(addConnectionFlags(command))
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane lint -f pod.yaml -f network.yaml\n  twinlane lint -R -f manifests --cluster',
    )
    .action(async (flags: LintFlags) => io.setExitCode(await lintFiles(io, flags)))
}

async function lintFiles(io: CliIo, flags: LintFlags): Promise<number> {
  const findings = await findAll(io, flags)
  if (flags.output === 'json') print(io, JSON.stringify(findings, undefined, 2))
  else for (const finding of findings) print(io, renderFinding(finding))
  const errors = findings.filter(({ severity }) => severity === 'error').length
  if (flags.output !== 'json' && findings.length > 0) {
    note(io, `${errors} errors, ${findings.length - errors} warnings`)
  }
  return errors > 0 || (flags.strict === true && findings.length > 0) ? 1 : 0
}

/** Throws UsageError for files that cannot be read: then nothing can be said of them. */
async function findAll(io: CliIo, flags: LintFlags): Promise<PlacedFinding[]> {
  if (flags.output !== 'text' && flags.output !== 'json') {
    throw new UsageError(`--output ${flags.output} is unknown`, { fix: 'use text or json' })
  }
  const manifests = await readFiles(io, flags)
  const objects = manifests.map(({ object }) => inNamespace(object, flags.namespace))
  const findings = lint(objects, {
    definitions: flags.cluster === true ? await definitionsOfCluster(io, flags) : [],
    isComplete: flags.cluster === true,
    globalNamespaces: flags.globalNamespaces?.split(',').map((name) => name.trim()),
  })
  return findings.flatMap(({ index, ...finding }) => place(finding, manifests[index]) ?? [])
}

async function readFiles(io: CliIo, flags: LintFlags): Promise<ManifestObject[]> {
  if (flags.filename === undefined)
    throw new UsageError('no file is named', { fix: 'name one with -f FILE, or -f - for standard input' })
  try {
    return await readManifests(io, flags.filename, { recursive: flags.recursive === true })
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause })
  }
}

/** Where `kubectl apply -n` would put it. */
function inNamespace(object: KubeObject, namespace = 'default'): KubeObject {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } }
}

async function definitionsOfCluster(io: CliIo, flags: LintFlags): Promise<readonly NetworkAttachmentDefinition[]> {
  const { client } = await connect(io, flags)
  try {
    return (await client.list(networkAttachmentDefinitions)).items
  } finally {
    await client.close()
  }
}

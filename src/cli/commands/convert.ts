import { type Command, Option } from 'commander'
import { CombinedError } from '../../base/errors.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { type ConversionTarget, convertObject } from '../convert/convert.ts'
import { ConversionError } from '../convert/errors.ts'
import { collect } from '../duration.ts'
import { readFiles } from '../each-manifest.ts'
import { type CliIo, note, print } from '../io.ts'
import { ManifestError, type ManifestObject, manifestOf } from '../manifest.ts'
import { checkManifest, parseFieldPath } from '../manifest-check.ts'
import { renderYaml } from '../output.ts'

interface ConvertFlags {
  filename?: string[]
  recursive?: boolean
  output: 'yaml' | 'json'
  to: ConversionTarget
  ignoreValidation?: boolean
}

export function registerConvert(program: Command, io: CliIo): void {
  program
    .command('convert')
    .description(
      "Write objects of calicoctl's first API (apiVersion: v1) and of Calico's storage (crd.projectcalico.org/v1) as projectcalico.org/v3, or, with --to crd, as Calico stores them.\n" +
        'What has no place here is named and left out, and the exit code is 1.',
    )
    .option('-f, --filename <file>', 'file, folder or - for standard input; may be given several times', collect)
    .option('-R, --recursive', 'with a folder: those below it too')
    .addOption(new Option('-o, --output <form>', 'form of the result').choices(['yaml', 'json']).default('yaml'))
    .addOption(new Option('--to <version>', 'version of the result').choices(['v3', 'crd']).default('v3'))
    .option('--ignore-validation', 'show results too that apply would refuse')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane convert -f pools-v1.yaml > pools.yaml\n  kubectl get ippools.crd.projectcalico.org -o yaml | twinlane convert -f - | twinlane apply -f -',
    )
    .action((flags: ConvertFlags) => convertFiles(io, flags))
}

async function convertFiles(io: CliIo, flags: ConvertFlags): Promise<void> {
  const manifests = await readFiles(io, flags, { mayLackNames: true })
  const converted: KubeObject[] = []
  const failures: unknown[] = []
  for (const manifest of manifests) {
    try {
      const object = await convertOne(manifest, flags, (reason) => {
        note(io, `${manifest.where}: left out: ${reason}`)
        io.setExitCode(1)
      })
      if (object !== undefined) converted.push(object)
    } catch (error) {
      failures.push(error)
    }
  }
  if (converted.length > 0) print(io, renderObjects(converted, flags.output))
  if (failures.length > 0)
    throw failures.length === 1 ? failures[0] : new CombinedError('not all were converted', failures)
}

/** Throws ManifestError. */
async function convertOne(
  manifest: ManifestObject,
  { to, ignoreValidation }: ConvertFlags,
  leaveOut: (reason: string) => void,
): Promise<KubeObject | undefined> {
  const result = located(manifest, () => convertObject(manifest.object, to))
  if ('leftOut' in result) {
    leaveOut(result.leftOut)
    return undefined
  }
  if (ignoreValidation !== true && to === 'v3') {
    await checkManifest(manifestOf(result.object, manifest.file))
  }
  return result.object
}

function located<T>(manifest: ManifestObject, task: () => T): T {
  try {
    return task()
  } catch (error) {
    if (!(error instanceof ConversionError)) throw error
    throw new ManifestError(manifest, parseFieldPath(error.field), error.message.slice(error.field.length + 2))
  }
}

function renderObjects(objects: readonly KubeObject[], output: 'yaml' | 'json'): string {
  if (output === 'yaml') return objects.map((object) => renderYaml(object)).join('\n---\n')
  const value = objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects }
  return JSON.stringify(value, undefined, 2)
}

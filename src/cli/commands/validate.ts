import type { Command } from 'commander'
import { CombinedError, TwinlaneError } from '../../base/errors.ts'
import type { KubeClient } from '../../kube/api.ts'
import type { KubeObject, ResourceType } from '../../kube/resources/meta.ts'
import { lint } from '../../lint/lint.ts'
import { podKinds } from '../../lint/subject.ts'
import { collect } from '../duration.ts'
import { readFiles } from '../each-manifest.ts'
import { type CliIo, note, print } from '../io.ts'
import { ManifestError, type ManifestObject } from '../manifest.ts'
import { checkManifest, isKnownKind, misplacedKind } from '../manifest-check.ts'
import { type PlacedFinding, place, renderFinding } from '../placed-finding.ts'
import { checkManifestAgainst } from '../resource-check.ts'

interface ValidateFlags {
  filename?: string[]
  recursive?: boolean
  skipEmpty?: boolean
}

export function registerValidate(program: Command, io: CliIo): void {
  program
    .command('validate')
    .description(
      'Judge files without a cluster: fields, values and rules of our kinds as apply judges them, pods and NetworkAttachmentDefinitions as lint does.\n' +
        'IPPools are judged beside the other pools of the files. Kinds of others are named and left alone.',
    )
    .option('-f, --filename <file>', 'file, folder or - for standard input; may be given several times', collect)
    .option('-R, --recursive', 'with a folder: those below it too')
    .option('--skip-empty', 'files that hold no object are no error')
    .addHelpText('after', '\nExamples:\n  twinlane validate -f pool.yaml\n  cat peer.yaml | twinlane validate -f -')
    .action((flags: ValidateFlags) => validateFiles(io, flags))
}

async function validateFiles(io: CliIo, flags: ValidateFlags): Promise<void> {
  const manifests = await readFiles(io, flags, { mayLackNames: true })
  const { failures, judged } = await judge(manifests, (warning) => note(io, warning))
  const good = judged.filter((manifest) => !failures.has(manifest))
  if (good.length > 0) print(io, summary(good, failures.size))
  const errors = [...failures.values()].flat()
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new CombinedError('not all are valid', errors)
}

interface Judgement {
  readonly judged: readonly ManifestObject[]
  readonly failures: ReadonlyMap<ManifestObject, readonly TwinlaneError[]>
}

async function judge(manifests: readonly ManifestObject[], warn: (text: string) => void): Promise<Judgement> {
  const failures = new Map<ManifestObject, TwinlaneError[]>()
  const fail = (manifest: ManifestObject, error: TwinlaneError): void => {
    failures.set(manifest, [...(failures.get(manifest) ?? []), error])
  }
  for (const finding of lint(manifests.map(({ object }) => object))) {
    const manifest = manifests[finding.index]
    const placed = place(finding, manifest)
    if (manifest === undefined || placed === undefined) continue
    if (placed.severity === 'error') fail(manifest, refusal(placed))
    else warn(renderFinding(placed))
  }
  const kube = clusterOf(manifests)
  const judged: ManifestObject[] = []
  for (const manifest of manifests) {
    const misplaced = misplacedKind(manifest)
    if (misplaced !== undefined) fail(manifest, misplaced)
    else if (isKnownKind(manifest)) {
      judged.push(manifest)
      const error = await findFault(manifest, kube)
      if (error !== undefined) fail(manifest, error)
    } else if (podKinds.includes(manifest.object.kind ?? '')) judged.push(manifest)
    else warn(`${manifest.where}: is of a kind without rules here, not judged`)
  }
  return { judged, failures }
}

async function findFault(
  manifest: ManifestObject,
  kube: Pick<KubeClient, 'list' | 'find'>,
): Promise<ManifestError | undefined> {
  try {
    await checkManifest(manifest)
    await checkManifestAgainst(manifest, manifest.object, { kube, before: undefined })
    return undefined
  } catch (error) {
    if (error instanceof ManifestError) return error
    throw error
  }
}

/** The files as if they were all that a cluster has. */
function clusterOf(manifests: readonly ManifestObject[]): Pick<KubeClient, 'list' | 'find'> {
  const ofType = <T extends KubeObject>({ kind, group, version }: ResourceType<T>): T[] =>
    manifests
      .map(({ object }) => object)
      .filter((object) => object.kind === kind && object.apiVersion === `${group}/${version}`) as T[]
  return {
    list: async (type) => ({ metadata: {}, items: ofType(type) }),
    find: async (type, name) => ofType(type).find(({ metadata }) => metadata.name === name),
  }
}

function refusal({ source, line, column, message, rule, fix }: PlacedFinding): TwinlaneError {
  const text = `${source}:${line}:${column}: ${message} [${rule}]`
  return new TwinlaneError(text, fix === undefined ? {} : { fix })
}

/** calicoctl's words. */
function summary(good: readonly ManifestObject[], failed: number): string {
  const kinds = new Set(good.map(({ object }) => object.kind))
  const what = kinds.size === 1 ? `'${[...kinds][0]}' resource(s)` : 'resource(s)'
  if (failed === 0) return `Successfully validated ${good.length} ${what}`
  return `Partial success: validated ${good.length} ${what}, ${failed} failed`
}

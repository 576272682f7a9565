import type { Command } from 'commander'
import { CombinedError, describeError, TwinlaneError } from '../base/errors.ts'
import { isConflict, KubeError } from '../kube/errors.ts'
import { apiVersionOf, type ResourceType } from '../kube/resources/meta.ts'
import { addConnectionFlags, addNamespaceFlag, type Connection, type ConnectionFlags, connect } from './connection.ts'
import { collect } from './duration.ts'
import { type CliIo, print, UsageError } from './io.ts'
import { type Kinds, loadKinds, virtualNodeType } from './kinds.ts'
import { ManifestError, type ManifestObject, readManifests } from './manifest.ts'
import { checkManifest, locateServerError } from './manifest-check.ts'
import { deletedLine, type Outcome, placeObject, shownTarget, type Target, targetOf } from './objects.ts'
import type { Selection } from './targets.ts'

export interface FileFlags extends ConnectionFlags {
  filename?: string[]
  recursive?: boolean
  skipEmpty?: boolean
}

/** The flags of every command that reads objects from files. */
export function addFileFlags(command: Command): Command {
  command
    .option('-f, --filename <file>', 'file, folder or - for standard input; may be given several times', collect)
    .option('-R, --recursive', 'with a folder: those below it too')
    .option('--skip-empty', 'files that hold no object are no error')
  return addNamespaceFlag(addConnectionFlags(command))
}

export interface Step {
  readonly connection: Connection
  readonly target: Target
  readonly object: ManifestObject['object']
}

/** What is done with each object, and how it is called afterwards: `applied`, `created` … */
export interface ManifestCommand {
  readonly done: string
  /** undefined: there was nothing to do, and nothing is said. */
  readonly run: (step: Step) => Promise<Outcome | undefined>
  /** Refuses what the cluster cannot hold. Throws ManifestError. */
  readonly check?: (step: Step, manifest: ManifestObject) => Promise<void>
}

/**
 * Reads the files, checks every document, and only then works through them. A failure does not keep the others from
 * being done. Kubernetes kinds are reported one a line as kubectl does, projectcalico.org kinds at the end as calicoctl
 * does. Throws CombinedError of all failures.
 */
export async function forEachManifest(io: CliIo, flags: FileFlags, command: ManifestCommand): Promise<void> {
  const manifests = await readFiles(io, flags)
  for (const manifest of manifests) await checkManifest(manifest)
  const connection = await connect(io, flags)
  const kindOf = kindLookup(connection)
  const calico: string[] = []
  const failures: unknown[] = []
  for (const manifest of manifests) {
    try {
      const type = await kindOf(manifest)
      const target = targetOf(type, manifest.object, connection, flags.namespace)
      const outcome = await runStep(
        { connection, target, object: placeObject(manifest.object, target) },
        manifest,
        command,
      )
      if (outcome === undefined) continue
      if (type.group === virtualNodeType.group) calico.push(type.kind)
      else print(io, outcomeLine(target, outcome))
    } catch (error) {
      failures.push(error)
    }
  }
  if (calico.length > 0) print(io, calicoSummary(calico, command.done, failures.length))
  if (failures.length > 0)
    throw failures.length === 1 ? failures[0] : new CombinedError(`not all were ${command.done}`, failures)
}

/** Throws UsageError when no file is named, TwinlaneError for what cannot be read. */
export async function readFiles(
  io: CliIo,
  flags: Pick<FileFlags, 'filename' | 'recursive' | 'skipEmpty'>,
  options: { mayLackNames?: boolean } = {},
): Promise<ManifestObject[]> {
  if (flags.filename === undefined)
    throw new UsageError('no file is named', { fix: 'name one with -f FILE, or -f - for standard input' })
  return readManifests(io, flags.filename, {
    recursive: flags.recursive === true,
    mayBeEmpty: flags.skipEmpty === true,
    ...options,
  })
}

/** The objects that files name, by kind and namespace, in the order of the files. */
export async function selectFromFiles(io: CliIo, connection: Connection, flags: FileFlags): Promise<Selection[]> {
  const kindOf = kindLookup(connection)
  const selections = new Map<string, { type: ResourceType; namespace: string | undefined; names: string[] }>()
  for (const manifest of await readFiles(io, flags)) {
    const { type, name, namespace } = targetOf(await kindOf(manifest), manifest.object, connection, flags.namespace)
    const key = `${apiVersionOf(type)} ${type.kind} ${namespace}`
    const selection = selections.get(key) ?? { type, namespace, names: [] }
    selections.set(key, selection)
    selection.names.push(name)
  }
  return [...selections.values()]
}

/** Finds kinds; asks the server once more when one is unknown, for it may have come with an earlier document. */
function kindLookup(connection: Connection): (manifest: ManifestObject) => Promise<ResourceType> {
  let kinds: Kinds | undefined
  return async (manifest) => {
    const isFresh = kinds === undefined
    kinds ??= await loadKinds(connection)
    try {
      return kinds.byObject(manifest.object)
    } catch (error) {
      if (!isFresh) kinds = await loadKinds(connection)
      try {
        return kinds.byObject(manifest.object)
      } catch {
        const fix = error instanceof TwinlaneError ? error.fix : undefined
        throw new ManifestError(manifest, ['kind'], describeError(error), fix === undefined ? {} : { fix })
      }
    }
  }
}

async function runStep(step: Step, manifest: ManifestObject, command: ManifestCommand): Promise<Outcome | undefined> {
  try {
    await command.check?.(step, manifest)
    return await command.run(step)
  } catch (error) {
    if (!(error instanceof KubeError)) throw error
    if (isConflict(error) && error.fix === undefined && step.object.metadata.resourceVersion !== undefined) {
      throw new ManifestError(manifest, ['metadata', 'resourceVersion'], error.said ?? error.message, {
        fix: 'take resourceVersion and uid out of the file, or read the object again',
      })
    }
    throw locateServerError(manifest, error)
  }
}

/** kubectl's words, which differ for deletions. */
function outcomeLine(target: Target, outcome: Outcome): string {
  return outcome === 'deleted' ? deletedLine(target) : `${shownTarget(target)} ${outcome}`
}

/** calicoctl's words: the kind is named when there is only one. */
function calicoSummary(kinds: readonly string[], done: string, failureCount: number): string {
  const isOneKind = new Set(kinds).size === 1
  const what = isOneKind ? `'${kinds[0]}' resource(s)` : 'resource(s)'
  if (failureCount === 0) return `Successfully ${done} ${kinds.length} ${what}`
  return `Partial success: ${done} ${kinds.length} ${what}, ${failureCount} failed`
}

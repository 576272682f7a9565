import type { Command } from 'commander'
import { CombinedError, TwinlaneError } from '../base/errors.ts'
import { addConnectionFlags, addNamespaceFlag, type Connection, type ConnectionFlags, connect } from './connection.ts'
import { type CliIo, print, UsageError } from './io.ts'
import { loadKinds } from './kinds.ts'
import { getObject, selectTargets, shownTarget, type Target } from './objects.ts'
import { parseTargets } from './targets.ts'

/** Labels or annotations: the same command on two maps. */
export interface MetadataMap {
  readonly field: 'labels' | 'annotations'
  /** `label` or `annotate`, `labeled` or `annotated`, for messages. */
  readonly verb: string
  readonly done: string
  /** The same when entries were only removed. */
  readonly undone: string
  /** What stands after the verb in the help's example. */
  readonly example: string
}

interface EditFlags extends ConnectionFlags {
  overwrite?: boolean
  remove?: boolean
  all?: boolean
  selector?: string
}

/** Adds the command that sets and removes entries of one of the maps. */
export function registerMetadataEdit(program: Command, io: CliIo, map: MetadataMap): void {
  const command = program
    .command(map.verb)
    .description(`Set ${map.field} with KEY=VALUE, remove them with KEY-, or with KEY and --remove as calicoctl does.`)
    .argument('<kind>', 'kind, or KIND/NAME')
    .argument('<word...>', 'names, then KEY=VALUE or KEY-')
    .option('--remove', `remove the ${map.field} whose keys are given`)
    .option('--overwrite', `change ${map.field} that have another value already`)
    .option('--all', 'all objects of the kind in the namespace')
    .option('-l, --selector <labels>', 'all objects of the kind with these labels')
    .addHelpText('after', `\nExamples:\n  twinlane ${map.verb} ${map.example}\n  twinlane ${map.verb} pods --all tier-`)
  addNamespaceFlag(addConnectionFlags(command)).action((kind: string, words: string[], flags: EditFlags) =>
    runEdit(io, map, { kind, words, flags }),
  )
}

/** Reads KEY=VALUE and KEY-; null stands for a removal. Throws UsageError. */
export function parseChanges(words: readonly string[]): { names: string[]; changes: Map<string, string | null> } {
  const isChange = (word: string): boolean => word.includes('=') || word.endsWith('-')
  const first = words.findIndex(isChange)
  if (first < 0) throw new UsageError('no KEY=VALUE and no KEY- is given', { fix: 'to remove KEY, write KEY-' })
  const changes = new Map<string, string | null>()
  for (const word of words.slice(first)) {
    const at = word.indexOf('=')
    if (at > 0) changes.set(word.slice(0, at), word.slice(at + 1))
    else if (word.endsWith('-') && word.length > 1) changes.set(word.slice(0, -1), null)
    else throw new UsageError(`"${word}" is neither KEY=VALUE nor KEY-`)
  }
  return { names: words.slice(0, first), changes }
}

/** `NAME KEY…` with --remove; without a name where the kind carries it, or a selector stands for it. */
function parseRemovals({ kind, words, flags }: { kind: string; words: string[]; flags: EditFlags }): {
  names: string[]
  changes: Map<string, null>
} {
  if (flags.overwrite === true) throw new UsageError('--remove and --overwrite exclude each other')
  const hasName = !kind.includes('/') && flags.all !== true && flags.selector === undefined
  const keys = hasName ? words.slice(1) : words
  const wrong = keys.find((key) => key.includes('='))
  if (wrong !== undefined) throw new UsageError(`--remove takes a key, and "${wrong}" has a value`)
  if (keys.length === 0) throw new UsageError('which key? --remove needs one', { fix: 'write KIND NAME KEY --remove' })
  return { names: hasName ? words.slice(0, 1) : [], changes: new Map(keys.map((key) => [key, null])) }
}

async function runEdit(
  io: CliIo,
  map: MetadataMap,
  { kind, words, flags }: { kind: string; words: string[]; flags: EditFlags },
): Promise<void> {
  const { names, changes } = flags.remove === true ? parseRemovals({ kind, words, flags }) : parseChanges(words)
  const connection = await connect(io, flags)
  const kinds = await loadKinds(connection)
  const failures: unknown[] = []
  for (const selection of parseTargets([kind, ...names], (text) => kinds.byName(text))) {
    for (const target of await targetsOf(connection, selection, flags)) {
      try {
        const isChanged = await editTarget(connection, target, { map, changes, overwrite: flags.overwrite === true })
        const isRemoval = [...changes.values()].every((value) => value === null)
        const word = isChanged && isRemoval ? map.undone : map.done
        print(io, `${shownTarget(target)} ${isChanged ? '' : 'not '}${word}`)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  if (failures.length > 0)
    throw failures.length === 1 ? failures[0] : new CombinedError(`not all were ${map.done}`, failures)
}

async function targetsOf(
  connection: Connection,
  { type, names }: { type: Target['type']; names: readonly string[] },
  flags: EditFlags,
): Promise<Target[]> {
  const namespace = type.isNamespaced ? connection.namespace : undefined
  if (names.length > 0) return names.map((name) => ({ type, name, namespace }))
  if (flags.all === true || flags.selector !== undefined) {
    return selectTargets(connection, type, { namespace, labelSelector: flags.selector })
  }
  throw new UsageError(`which ${type.plural}?`, { fix: 'give names, -l LABELS or --all' })
}

async function editTarget(
  connection: Connection,
  target: Target,
  edit: { map: MetadataMap; changes: ReadonlyMap<string, string | null>; overwrite: boolean },
): Promise<boolean> {
  const { field } = edit.map
  const before = (await getObject(connection, target)).metadata[field] ?? {}
  const different = [...edit.changes].filter(([key, value]) => (before[key] ?? null) !== value)
  const taken = different.find(([key, value]) => value !== null && before[key] !== undefined)
  if (taken !== undefined && !edit.overwrite) {
    const [key] = taken
    throw new TwinlaneError(
      `${shownTarget(target)}: '${key}' already has a value (${before[key]}), and --overwrite is not given`,
    )
  }
  if (different.length === 0) return false
  const body = { metadata: { [field]: Object.fromEntries(different) } }
  await connection.client.patch(target.type, target.name, { type: 'merge', body }, { namespace: target.namespace })
  return true
}

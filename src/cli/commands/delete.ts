import type { Command } from 'commander'
import { CombinedError } from '../../base/errors.ts'
import { KubeError, undefinedIfNotFound } from '../../kube/errors.ts'
import { awaitObject } from '../await-object.ts'
import { type Connection, connect } from '../connection.ts'
import { parseDurationMs, parseWholeNumber } from '../duration.ts'
import { addFileFlags, type FileFlags, forEachManifest } from '../each-manifest.ts'
import { type CliIo, note, print, UsageError } from '../io.ts'
import { isVirtualNode, loadKinds } from '../kinds.ts'
import { deletedLine, selectTargets, type Target } from '../objects.ts'
import { parseTargets } from '../targets.ts'

interface DeleteFlags extends FileFlags {
  selector?: string
  all?: boolean
  ignoreNotFound?: boolean
  skipNotExists?: boolean
  wait: boolean
  timeout: number
  gracePeriod?: number
  force?: boolean
}

export function registerDelete(program: Command, io: CliIo): void {
  const command = program
    .command('delete')
    .description('Delete objects by name, by label, or those that files name, and wait until they are gone.')
    .argument('[kind]', 'kind, or KIND/NAME')
    .argument('[name...]', 'names')
    .option('-l, --selector <labels>', 'all objects of the kind with these labels')
    .option('--all', 'all objects of the kind in the namespace')
    .option('--ignore-not-found', 'an object that is not there is no error')
    .option('--skip-not-exists', 'the same, as calicoctl calls it')
    .option('--no-wait', 'do not wait until the objects are gone')
    .option('--timeout <time>', 'how long to wait', parseDurationMs, 300_000)
    .option('--grace-period <seconds>', 'how long a pod may take to end', parseWholeNumber)
    .option('--force', 'do not let a pod end in good order (a grace period of 0)')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane delete pod busybox3\n  twinlane delete -f examples/article --ignore-not-found\n  twinlane delete pods -l app=web',
    )
  addFileFlags(command).action((kind: string | undefined, names: string[], given: DeleteFlags) => {
    const flags = given.skipNotExists === true ? { ...given, ignoreNotFound: true } : given
    return flags.filename === undefined ? deleteNamed(io, kind, { names, flags }) : deleteFromFiles(io, kind, flags)
  })
}

async function deleteFromFiles(io: CliIo, kind: string | undefined, flags: DeleteFlags): Promise<void> {
  if (kind !== undefined) throw new UsageError('either name objects or give files with -f, not both')
  await forEachManifest(io, flags, {
    done: 'deleted',
    async run({ connection, target }) {
      return (await deleteTarget(connection, target, flags)) ? 'deleted' : undefined
    },
  })
}

async function deleteNamed(
  io: CliIo,
  kind: string | undefined,
  { names, flags }: { names: string[]; flags: DeleteFlags },
): Promise<void> {
  if (kind === undefined)
    throw new UsageError('nothing to delete is named', { fix: 'write twinlane delete KIND NAME, or -f FILE' })
  const connection = await connect(io, flags)
  const kinds = await loadKinds(connection)
  const selections = parseTargets([kind, ...names], (text) => kinds.byName(text))
  const targets: Target[] = []
  for (const { type, names } of selections) {
    const namespace = type.isNamespaced ? connection.namespace : undefined
    if (names.length > 0) targets.push(...names.map((name) => ({ type, name, namespace })))
    else if (flags.all === true || flags.selector !== undefined) {
      targets.push(...(await selectTargets(connection, type, { namespace, labelSelector: flags.selector })))
    } else throw new UsageError(`which ${type.plural}?`, { fix: 'give names, -l LABELS or --all' })
  }
  if (targets.length === 0) note(io, 'No resources found')
  await deleteAll(io, connection, { targets, flags })
}

/** Asks for all deletions first and waits afterwards, so that many pods end side by side. */
async function deleteAll(
  io: CliIo,
  connection: Connection,
  { targets, flags }: { targets: readonly Target[]; flags: DeleteFlags },
): Promise<void> {
  const results = await Promise.allSettled(
    targets.map(async (target) => {
      const wasThere = await deleteTarget(connection, target, flags)
      if (wasThere) print(io, deletedLine(target))
    }),
  )
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (failures.length > 0)
    throw failures.length === 1 ? failures[0] : new CombinedError('not all were deleted', failures)
}

/** Deletes and, unless told otherwise, waits until this very object (by UID) is gone. False when there was nothing. */
async function deleteTarget(connection: Connection, target: Target, flags: DeleteFlags): Promise<boolean> {
  const { type, name, namespace } = target
  if (isVirtualNode(type)) throw notDeletable(name)
  const before = await undefinedIfNotFound(connection.client.get(type, name, namespace))
  if (before === undefined && flags.ignoreNotFound === true) return false
  const { uid } = before?.metadata ?? {}
  const gracePeriodSeconds = flags.force === true ? 0 : flags.gracePeriod
  await connection.client.delete(type, name, {
    namespace,
    gracePeriodSeconds,
    ignoreNotFound: flags.ignoreNotFound === true,
  })
  if (!flags.wait) return true
  await awaitObject(connection, target, {
    what: 'to be gone',
    timeoutMs: flags.timeout,
    look: (object) => object === undefined || object.metadata.uid !== uid,
    explain: (object) => finalizersOf(object?.metadata.finalizers),
  })
  return true
}

function finalizersOf(finalizers: readonly string[] | undefined): string | undefined {
  return finalizers === undefined || finalizers.length === 0 ? undefined : `held by finalizers ${finalizers.join(', ')}`
}

function notDeletable(name: string): KubeError {
  return new KubeError(`Node(${name}): Calico's Node is a view of the node of Kubernetes and cannot be deleted`, {
    statusCode: 405,
    fix: `to remove the node from the cluster: twinlane delete nodes.v1 ${name}`,
  })
}

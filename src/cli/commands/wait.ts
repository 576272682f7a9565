import type { Command } from 'commander'
import type { KubeObject } from '../../kube/resources/meta.ts'
import { awaitObject } from '../await-object.ts'
import { addConnectionFlags, addNamespaceFlag, type Connection, type ConnectionFlags, connect } from '../connection.ts'
import { parseDurationMs } from '../duration.ts'
import { type CliIo, print, UsageError } from '../io.ts'
import { loadKinds } from '../kinds.ts'
import { getObject, selectTargets, shownTarget, type Target } from '../objects.ts'
import { parseTargets, type Selection } from '../targets.ts'
import { parseCondition, type WaitCondition } from '../wait-condition.ts'

interface WaitFlags extends ConnectionFlags {
  for: string
  timeout: number
  all?: boolean
  selector?: string
}

export function registerWait(program: Command, io: CliIo): void {
  const command = program
    .command('wait')
    .description('Wait until objects have a condition or a value, or are gone.')
    .argument('<kind>', 'kind, or KIND/NAME')
    .argument('[name...]', 'names')
    .requiredOption('--for <what>', 'condition=NAME[=VALUE], jsonpath={.path}[=VALUE], create or delete')
    .option('--timeout <time>', 'how long to wait', parseDurationMs, 30_000)
    .option('--all', 'all objects of the kind in the namespace')
    .option('-l, --selector <labels>', 'all objects of the kind with these labels')
    .addHelpText(
      'after',
      "\nExamples:\n  twinlane wait pod busybox3 --for=condition=Ready --timeout=60s\n  twinlane wait nodes --all --for=condition=Ready\n  twinlane wait pod/busybox3 --for=jsonpath='{.status.phase}'=Running\n  twinlane wait pod/busybox3 --for=delete",
    )
  addNamespaceFlag(addConnectionFlags(command)).action((kind: string, names: string[], flags: WaitFlags) =>
    runWait(io, [kind, ...names], flags),
  )
}

async function runWait(io: CliIo, words: string[], flags: WaitFlags): Promise<void> {
  const condition = parseCondition(flags.for)
  const connection = await connect(io, flags)
  const kinds = await loadKinds(connection)
  const selections = parseTargets(words, (text) => kinds.byName(text))
  const targets = (await Promise.all(selections.map((selection) => targetsOf(connection, selection, flags)))).flat()
  const deadline = Date.now() + flags.timeout
  await Promise.all(
    targets.map(async (target) => {
      await awaitCondition(connection, target, { condition, timeoutMs: deadline - Date.now() })
      print(io, `${shownTarget(target)} ${condition.isDeletion ? 'deleted' : 'condition met'}`)
    }),
  )
}

async function awaitCondition(
  connection: Connection,
  target: Target,
  { condition, timeoutMs }: { condition: WaitCondition; timeoutMs: number },
): Promise<void> {
  // A name that is not there is most likely a typing error: said at once, unless absence or arrival is what is waited for.
  if (!condition.isDeletion && !condition.isCreation) await getObject(connection, target)
  await awaitObject(connection, target, {
    what: condition.what,
    timeoutMs,
    look: (object: KubeObject | undefined) => condition.isMet(object),
    explain: (object) => condition.explain(object),
  })
}

async function targetsOf(connection: Connection, { type, names }: Selection, flags: WaitFlags): Promise<Target[]> {
  const namespace = type.isNamespaced ? connection.namespace : undefined
  if (names.length > 0) return names.map((name) => ({ type, name, namespace }))
  if (flags.all !== true && flags.selector === undefined) {
    throw new UsageError(`which ${type.plural}?`, { fix: 'give names, -l LABELS or --all' })
  }
  return selectTargets(connection, type, { namespace, labelSelector: flags.selector })
}

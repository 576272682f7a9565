import type { Command } from 'commander'
import { CombinedError } from '../../base/errors.ts'
import { isNotFound, undefinedIfNotFound } from '../../kube/errors.ts'
import { nodes } from '../../kube/resources/core.ts'
import type { KubeObject, ResourceType } from '../../kube/resources/meta.ts'
import { toVirtualNode } from '../../networks/routed/virtual-node.ts'
import { type CalicoTable, findCalicoTable, type TableFacts } from '../calico-tables.ts'
import { type Connection, connect } from '../connection.ts'
import { addFileFlags, type FileFlags, selectFromFiles } from '../each-manifest.ts'
import { type CliIo, note, print, UsageError } from '../io.ts'
import { isVirtualNode, loadKinds, shownKind } from '../kinds.ts'
import { getObject } from '../objects.ts'
import { exportList, type ObjectList, outputHelp, parseOutputFormat, printText } from '../output.ts'
import { getTable, listTable, type ServerTable, watchTable } from '../server-table.ts'
import { parseTargets, type Selection } from '../targets.ts'
import { TablePrinter } from '../text-table.ts'
import { clusterAsNumber, listVirtualNodes } from '../virtual-nodes.ts'

interface GetFlags extends FileFlags {
  allNamespaces?: boolean
  selector?: string
  fieldSelector?: string
  output?: string
  watch?: boolean
  ignoreNotFound?: boolean
  headers: boolean
  export?: boolean
}

export function registerGet(program: Command, io: CliIo): void {
  const command = program
    .command('get')
    .description(
      'Show objects. A kind is written as kubectl has it: plural, singular, short name, or with its group (ippools.projectcalico.org).\n' +
        "node and nodes are Calico's view of a node, as with calicoctl; no and nodes.v1 are the nodes of Kubernetes.",
    )
    .argument('[kind]', 'kind, kinds separated by commas, or KIND/NAME')
    .argument('[name...]', 'names; all objects when there are none')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels, e.g. app=web,tier!=db')
    .option('--field-selector <fields>', 'only objects with these fields, e.g. spec.nodeName=work01')
    .option('-o, --output <form>', outputHelp)
    .option('-w, --watch', 'go on and show every change')
    .option('--ignore-not-found', 'a name that is not there is no error')
    .option('--no-headers', 'leave the headings of tables out')
    .option('--export', 'with -o yaml or json: without what only this cluster knows, ready to be applied to another')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  twinlane get pods -A -o wide\n' +
        '  twinlane get node master01 -o yaml > master01.yaml\n' +
        '  twinlane get ippools,bgppeers\n' +
        '  twinlane get ippools -o yaml --export > pools.yaml\n' +
        "  twinlane get pod busybox3 -o jsonpath='{.status.podIP}'\n" +
        '  twinlane get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName',
    )
  addFileFlags(command).action((kind: string | undefined, names: string[], flags: GetFlags) =>
    runGet(io, kind === undefined ? [] : [kind, ...names], flags),
  )
}

async function runGet(io: CliIo, words: string[], flags: GetFlags): Promise<void> {
  const format = parseOutputFormat(flags.output)
  const connection = await connect(io, flags)
  const selections = await selectObjects(io, connection, { words, flags })
  const context: GetContext = {
    io,
    connection,
    flags,
    isWide: format.form === 'table' && format.isWide,
    hasManyKinds: new Set(selections.map(({ type }) => type)).size > 1,
    failures: [],
  }
  if (flags.watch === true && selections.length > 1) throw new UsageError('-w watches one kind at a time')
  if (format.form === 'text') {
    if (flags.watch === true) throw new UsageError('-w shows tables only', { fix: 'leave -o out, or use -o wide' })
    const found = await fetchObjects(context, selections)
    if (found.objects.length > 0 || context.failures.length === 0)
      printText(io, format, flags.export === true ? exportList(found) : found)
    throwFailures(context)
    return
  }
  let shown = 0
  for (const selection of selections) shown += await showTable(context, selection, shown > 0)
  if (shown === 0 && flags.ignoreNotFound !== true && context.failures.length === 0)
    note(io, noneFound(context, selections))
  throwFailures(context)
}

async function selectObjects(
  io: CliIo,
  connection: Connection,
  { words, flags }: { words: string[]; flags: GetFlags },
): Promise<Selection[]> {
  if (flags.filename !== undefined) {
    if (words.length > 0) throw new UsageError('either name objects or give files with -f, not both')
    return selectFromFiles(io, connection, flags)
  }
  if (words.length === 0) {
    throw new UsageError('no kind is named', { fix: 'write e.g. twinlane get ippools, or -f FILE' })
  }
  const kinds = await loadKinds(connection)
  return parseTargets(words, (name) => kinds.byName(name, { virtual: true }))
}

interface GetContext {
  readonly io: CliIo
  readonly connection: Connection
  readonly flags: GetFlags
  readonly isWide: boolean
  readonly hasManyKinds: boolean
  /** What could not be had; the rest is shown all the same. */
  readonly failures: unknown[]
}

async function fetchObjects(context: GetContext, selections: readonly Selection[]): Promise<ObjectList> {
  const objects: { type: ResourceType; object: KubeObject }[] = []
  for (const selection of selections) {
    for (const object of await fetchSelection(context, selection)) objects.push({ type: selection.type, object })
  }
  const isSingle = selections.length === 1 && selections[0]?.names.length === 1
  const hasNodes = objects.some(({ type }) => isVirtualNode(type))
  return { objects, isSingle: isSingle && objects.length === 1, facts: await tableFacts(context, hasNodes) }
}

async function fetchSelection(context: GetContext, selection: Selection): Promise<KubeObject[]> {
  const { connection, flags } = context
  const { type, names } = selection
  const namespace = namespaceOf(context, selection)
  if (names.length === 0) {
    if (isVirtualNode(type)) return listVirtualNodes(connection.client, flags.selector)
    const query = { namespace, labelSelector: flags.selector, fieldSelector: flags.fieldSelector }
    return (await connection.client.list(type, query)).items
  }
  const found = await Promise.all(
    names.map((name) => undefinedIfFailed(context, getObject(connection, { type, name, namespace }))),
  )
  return found.filter((object) => object !== undefined)
}

async function showTable(context: GetContext, selection: Selection, isLater: boolean): Promise<number> {
  const layout = findCalicoTable(selection.type)
  const shown =
    layout === undefined
      ? showServerTable(context, selection, isLater)
      : showCalicoTable(context, selection, { layout, isLater })
  return shown
}

async function showServerTable(context: GetContext, selection: Selection, isLater: boolean): Promise<number> {
  const { io, flags } = context
  const { type, names } = selection
  const { transport } = context.connection
  const query = {
    type,
    namespace: namespaceOf(context, selection),
    labelSelector: flags.selector,
    fieldSelector: flags.fieldSelector,
  }
  const tables =
    names.length === 0
      ? [await listTable(transport, query)]
      : await Promise.all(
          names.map((name) => undefinedIfFailed(context, getTable(transport, type, name, query.namespace))),
        )
  const found = tables.filter((table) => table !== undefined)
  const rows = found.flatMap((table) => table.rows)
  const columns = found[0]?.columnDefinitions ?? []
  const printer = new ServerTablePrinter(context, type, columns)
  if (rows.length > 0) print(io, `${isLater ? '\n' : ''}${printer.render(rows)}`)
  if (flags.watch === true) {
    const fieldSelector = names.length === 1 ? `metadata.name=${names[0]}` : query.fieldSelector
    const resourceVersion = found[0]?.metadata?.resourceVersion
    for await (const table of watchTable(transport, { ...query, fieldSelector, resourceVersion })) {
      print(io, printer.render(table.rows, table.columnDefinitions))
    }
  }
  return rows.length
}

/** Rows of the server, with the namespace in front when there are several, and the kind when there are several. */
class ServerTablePrinter {
  readonly #context: GetContext
  readonly #type: ResourceType
  #columns: ServerTable['columnDefinitions']
  #printer: TablePrinter | undefined

  constructor(context: GetContext, type: ResourceType, columns: ServerTable['columnDefinitions']) {
    this.#context = context
    this.#type = type
    this.#columns = columns
  }

  render(rows: ServerTable['rows'], columns: ServerTable['columnDefinitions'] = []): string {
    // In a watch only the first table carries the columns.
    if (this.#columns.length === 0) this.#columns = columns
    const indexes = this.#columns.flatMap(({ priority }, index) =>
      this.#context.isWide || (priority ?? 0) === 0 ? [index] : [],
    )
    const hasNamespace = this.#context.flags.allNamespaces === true && this.#type.isNamespaced
    const headings = indexes.map((index) => (this.#columns[index]?.name ?? '').toUpperCase())
    this.#printer ??= new TablePrinter(
      hasNamespace ? ['NAMESPACE', ...headings] : headings,
      this.#context.flags.headers,
    )
    const lines = rows.map((row) => {
      const cells = indexes.map((index) => this.#cell(row.cells[index], index))
      return hasNamespace ? [row.object?.metadata.namespace, ...cells] : cells
    })
    return this.#printer.render(lines)
  }

  #cell(value: unknown, index: number): string {
    const text = value === null || value === undefined ? '' : String(value)
    const isName = this.#context.hasManyKinds && this.#columns[index]?.name === 'Name'
    return isName ? `${shownKind(this.#type)}/${text}` : text
  }
}

async function showCalicoTable(
  context: GetContext,
  selection: Selection,
  { layout, isLater }: { layout: CalicoTable; isLater: boolean },
): Promise<number> {
  const { io, connection, isWide, flags } = context
  const objects = await fetchSelection(context, selection)
  const facts = await tableFacts(context, isVirtualNode(selection.type) && isWide)
  const printer = new TablePrinter(layout.headings(isWide), flags.headers)
  const row = (object: KubeObject): string[] => layout.row(object, isWide, facts)
  if (objects.length > 0) print(io, `${isLater ? '\n' : ''}${printer.render(objects.map(row))}`)
  if (flags.watch === true) {
    for await (const object of watchCalicoObjects(connection, selection.type, flags.selector))
      print(io, printer.render([row(object)]))
  }
  return objects.length
}

async function* watchCalicoObjects(
  connection: Connection,
  type: ResourceType,
  labelSelector?: string,
): AsyncIterable<KubeObject> {
  const stored = isVirtualNode(type) ? nodes : type
  let { resourceVersion } = (await connection.client.list(stored, { labelSelector })).metadata
  for (;;) {
    for await (const { object } of connection.client.watch(stored, { labelSelector, resourceVersion })) {
      resourceVersion = object.metadata.resourceVersion
      yield isVirtualNode(type) ? toVirtualNode(object) : object
    }
  }
}

async function tableFacts({ connection }: GetContext, hasNodes: boolean): Promise<TableFacts> {
  return hasNodes ? { clusterAsNumber: await clusterAsNumber(connection.client) } : {}
}

function namespaceOf(context: GetContext, { type, namespace }: Selection): string | undefined {
  if (namespace !== undefined) return namespace
  return type.isNamespaced && context.flags.allNamespaces !== true ? context.connection.namespace : undefined
}

/** One of several names that is not there does not keep the others from being shown. */
async function undefinedIfFailed<T>(context: GetContext, answer: Promise<T>): Promise<T | undefined> {
  try {
    return await (context.flags.ignoreNotFound === true ? undefinedIfNotFound(answer) : answer)
  } catch (error) {
    if (!isNotFound(error)) throw error
    context.failures.push(error)
    return undefined
  }
}

function throwFailures({ failures }: GetContext): void {
  if (failures.length > 0) throw failures.length === 1 ? failures[0] : new CombinedError('not all were found', failures)
}

function noneFound(context: GetContext, selections: readonly Selection[]): string {
  const isNamespaced = selections.some(({ type }) => type.isNamespaced) && context.flags.allNamespaces !== true
  return isNamespaced ? `No resources found in ${context.connection.namespace} namespace.` : 'No resources found'
}

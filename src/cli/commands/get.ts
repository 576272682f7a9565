import type { Command } from 'commander'
import { undefinedIfNotFound } from '../../kube/errors.ts'
import { nodes } from '../../kube/resources/core.ts'
import type { KubeObject, ResourceType } from '../../kube/resources/meta.ts'
import { toVirtualNode } from '../../networks/routed/virtual-node.ts'
import { type CalicoTable, findCalicoTable } from '../calico-tables.ts'
import { addConnectionFlags, addNamespaceFlag, type Connection, type ConnectionFlags, connect } from '../connection.ts'
import { type CliIo, note, print, UsageError } from '../io.ts'
import { isVirtualNode, loadKinds, shownKind } from '../kinds.ts'
import { getObject } from '../objects.ts'
import { type ObjectList, outputHelp, parseOutputFormat, printText } from '../output.ts'
import { getTable, listTable, type ServerTable, watchTable } from '../server-table.ts'
import { parseTargets, type Selection } from '../targets.ts'
import { TablePrinter } from '../text-table.ts'
import { clusterAsNumber, listVirtualNodes } from '../virtual-nodes.ts'

interface GetFlags extends ConnectionFlags {
  allNamespaces?: boolean
  selector?: string
  fieldSelector?: string
  output?: string
  watch?: boolean
  ignoreNotFound?: boolean
  headers: boolean
}

export function registerGet(program: Command, io: CliIo): void {
  const command = program
    .command('get')
    .description(
      'Show objects. A kind is written as kubectl has it: plural, singular, short name, or with its group (ippools.projectcalico.org).\n' +
        "node and nodes are Calico's view of a node, as with calicoctl; no and nodes.v1 are the nodes of Kubernetes.",
    )
    .argument('<kind>', 'kind, kinds separated by commas, or KIND/NAME')
    .argument('[name...]', 'names; all objects when there are none')
    .option('-A, --all-namespaces', 'of all namespaces')
    .option('-l, --selector <labels>', 'only objects with these labels, e.g. app=web,tier!=db')
    .option('--field-selector <fields>', 'only objects with these fields, e.g. spec.nodeName=work01')
    .option('-o, --output <form>', outputHelp)
    .option('-w, --watch', 'go on and show every change')
    .option('--ignore-not-found', 'a name that is not there is no error')
    .option('--no-headers', 'leave the headings of tables out')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  twinlane get pods -A -o wide\n' +
        '  twinlane get node master01 -o yaml > master01.yaml\n' +
        '  twinlane get ippools,bgppeers\n' +
        "  twinlane get pod busybox3 -o jsonpath='{.status.podIP}'\n" +
        '  twinlane get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName',
    )
  addNamespaceFlag(addConnectionFlags(command)).action((kind: string, names: string[], flags: GetFlags) =>
    runGet(io, [kind, ...names], flags),
  )
}

async function runGet(io: CliIo, words: string[], flags: GetFlags): Promise<void> {
  const format = parseOutputFormat(flags.output)
  const connection = await connect(io, flags)
  const kinds = await loadKinds(connection)
  const selections = parseTargets(words, (name) => kinds.byName(name, { virtual: true }))
  const context: GetContext = {
    io,
    connection,
    flags,
    isWide: format.form === 'table' && format.isWide,
    hasManyKinds: selections.length > 1,
  }
  if (flags.watch === true && selections.length > 1) throw new UsageError('-w watches one kind at a time')
  if (format.form === 'text') {
    if (flags.watch === true) throw new UsageError('-w shows tables only', { fix: 'leave -o out, or use -o wide' })
    printText(io, format, await fetchObjects(context, selections))
    return
  }
  let shown = 0
  for (const selection of selections) shown += await showTable(context, selection, shown > 0)
  if (shown === 0 && flags.ignoreNotFound !== true) note(io, noneFound(context, selections))
}

interface GetContext {
  readonly io: CliIo
  readonly connection: Connection
  readonly flags: GetFlags
  readonly isWide: boolean
  readonly hasManyKinds: boolean
}

async function fetchObjects(context: GetContext, selections: readonly Selection[]): Promise<ObjectList> {
  const objects: { type: ResourceType; object: KubeObject }[] = []
  for (const selection of selections) {
    for (const object of await fetchSelection(context, selection)) objects.push({ type: selection.type, object })
  }
  const isSingle = selections.length === 1 && selections[0]?.names.length === 1
  return { objects, isSingle: isSingle && objects.length === 1 }
}

async function fetchSelection(context: GetContext, { type, names }: Selection): Promise<KubeObject[]> {
  const { connection, flags } = context
  const namespace = namespaceOf(context, type)
  if (names.length === 0) {
    if (isVirtualNode(type)) return listVirtualNodes(connection.client, flags.selector)
    const query = { namespace, labelSelector: flags.selector, fieldSelector: flags.fieldSelector }
    return (await connection.client.list(type, query)).items
  }
  const found = await Promise.all(
    names.map((name) => notFoundAsFlagged(context, getObject(connection, { type, name, namespace }))),
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

async function showServerTable(context: GetContext, { type, names }: Selection, isLater: boolean): Promise<number> {
  const { io, flags } = context
  const { transport } = context.connection
  const query = {
    type,
    namespace: namespaceOf(context, type),
    labelSelector: flags.selector,
    fieldSelector: flags.fieldSelector,
  }
  const tables =
    names.length === 0
      ? [await listTable(transport, query)]
      : await Promise.all(
          names.map((name) => notFoundAsFlagged(context, getTable(transport, type, name, query.namespace))),
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
  const facts =
    isVirtualNode(selection.type) && isWide ? { clusterAsNumber: await clusterAsNumber(connection.client) } : {}
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

function namespaceOf(context: GetContext, type: ResourceType): string | undefined {
  return type.isNamespaced && context.flags.allNamespaces !== true ? context.connection.namespace : undefined
}

async function notFoundAsFlagged<T>(context: GetContext, answer: Promise<T>): Promise<T | undefined> {
  return context.flags.ignoreNotFound === true ? undefinedIfNotFound(answer) : answer
}

function noneFound(context: GetContext, selections: readonly Selection[]): string {
  const isNamespaced = selections.some(({ type }) => type.isNamespaced) && context.flags.allNamespaces !== true
  return isNamespaced ? `No resources found in ${context.connection.namespace} namespace.` : 'No resources found'
}

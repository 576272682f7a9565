import { type Command, Option } from 'commander'
import jsonPatch from 'fast-json-patch'
import { parse } from 'yaml'
import type { Patch } from '../../kube/api.ts'
import { KubeError } from '../../kube/errors.ts'
import { isObject, mergePatch } from '../../kube/patch.ts'
import { apiVersionOf, type KubeObject, type ResourceType } from '../../kube/resources/meta.ts'
import { addConnectionFlags, addNamespaceFlag, type Connection, type ConnectionFlags, connect } from '../connection.ts'
import { type CliIo, print, UsageError } from '../io.ts'
import { isVirtualNode, loadKinds, virtualNodeType } from '../kinds.ts'
import { manifestOf } from '../manifest.ts'
import { checkManifest } from '../manifest-check.ts'
import { getObject, shownTarget, type Target } from '../objects.ts'
import { checkObjectInCluster } from '../resource-check.ts'
import { parseTargets } from '../targets.ts'
import { patchVirtualNode } from '../virtual-nodes.ts'

interface PatchFlags extends ConnectionFlags {
  patch: string
  type?: 'merge' | 'json' | 'strategic'
  subresource?: 'status'
}

export function registerPatch(program: Command, io: CliIo): void {
  const command = program
    .command('patch')
    .description(
      "Change fields of an object. With kind node it changes Calico's view of a node, as calicoctl does; nodes.v1 is the node of Kubernetes.",
    )
    .argument('<kind>', 'kind, or KIND/NAME')
    .argument('[name]', 'name')
    .requiredOption('-p, --patch <text>', 'the patch, as JSON or YAML')
    .addOption(
      new Option(
        '-t, --type <type>',
        'kind of patch; strategic where the server knows it for the kind, else merge',
      ).choices(['merge', 'json', 'strategic']),
    )
    .addOption(new Option('--subresource <name>', 'part of the object to patch').choices(['status']))
    .addHelpText(
      'after',
      `\nExamples:\n  twinlane patch node master01 -p '{"spec":{"bgp":{"routeReflectorClusterID":"192.168.100.10"}}}'\n  twinlane patch bgpconfig default -p '{"spec":{"nodeToNodeMeshEnabled":false}}'`,
    )
  addNamespaceFlag(addConnectionFlags(command)).action((kind: string, name: string | undefined, flags: PatchFlags) =>
    runPatch(io, name === undefined ? [kind] : [kind, name], flags),
  )
}

async function runPatch(io: CliIo, words: string[], flags: PatchFlags): Promise<void> {
  const content = parsePatch(flags.patch)
  const connection = await connect(io, flags)
  const kinds = await loadKinds(connection)
  const [selection, ...more] = parseTargets(words, (text) => kinds.byName(text, { virtual: true }))
  const name = selection?.names[0]
  if (selection === undefined || name === undefined || more.length > 0)
    throw new UsageError('name one object: twinlane patch KIND NAME')
  const { type } = selection
  if (isVirtualNode(type)) {
    if (!isObject(content)) throw new UsageError('a Node of Calico takes merge patches only')
    await patchVirtualNode(connection.client, name, content)
    print(io, "Successfully patched 1 'Node' resource")
    return
  }
  const target = { type, name, namespace: type.isNamespaced ? connection.namespace : undefined }
  const before = await getObject(connection, target)
  buildPatch(flags.type ?? 'merge', content)
  await checkPatched(connection, type, { before, content })
  const after = await sendPatch(connection, target, { content, flags })
  if (type.group === virtualNodeType.group) return print(io, `Successfully patched 1 '${type.kind}' resource`)
  const isSame = before.metadata.resourceVersion === after.metadata.resourceVersion
  print(io, `${shownTarget(target)} patched${isSame ? ' (no change)' : ''}`)
}

/** Refuses what the object would be afterwards, by its fields and by the rules of its network. */
async function checkPatched(
  connection: Connection,
  type: ResourceType,
  { before, content }: { before: KubeObject; content: unknown },
): Promise<void> {
  const after = patched(before, content)
  await checkManifest(manifestOf({ ...after, apiVersion: apiVersionOf(type), kind: type.kind }, '--patch'))
  await checkObjectInCluster(connection, type, { before, after })
}

function patched(before: KubeObject, content: unknown): KubeObject {
  if (!Array.isArray(content)) return mergePatch(before, content) as KubeObject
  try {
    return jsonPatch.applyPatch(structuredClone(before), content as never, true).newDocument
  } catch (error) {
    const [problem] = (error as Error).message.split('\n')
    throw new UsageError(`--patch: does not fit the object: ${problem}`)
  }
}

async function sendPatch(
  connection: Connection,
  { type, name, namespace }: Target,
  { content, flags }: { content: unknown; flags: PatchFlags },
): Promise<KubeObject> {
  const send = (form: 'merge' | 'json' | 'strategic'): Promise<KubeObject> =>
    connection.client.patch(type, name, buildPatch(form, content), { namespace, subresource: flags.subresource })
  if (flags.type !== undefined) return send(flags.type)
  try {
    return await send('strategic')
  } catch (error) {
    // Custom resources know no strategic merge patch, and which kinds are custom only the server knows.
    if (error instanceof KubeError && error.statusCode === 415) return send('merge')
    throw error
  }
}

function buildPatch(type: 'merge' | 'json' | 'strategic', content: unknown): Patch {
  if (type !== 'json') {
    if (isObject(content)) return { type, body: content }
    throw new UsageError(`--patch: a ${type} patch is an object`, {
      fix: Array.isArray(content) ? 'say --type json for a list of operations' : 'write {"spec": {…}}',
    })
  }
  if (Array.isArray(content)) return { type, operations: content as never }
  throw new UsageError('--patch: a json patch is a list of operations', {
    fix: `e.g. --type json -p '[{"op": "replace", "path": "/spec/natOutgoing", "value": true}]'`,
  })
}

function parsePatch(text: string): unknown {
  try {
    return parse(text)
  } catch (cause) {
    throw new UsageError('--patch: is neither JSON nor YAML', { cause })
  }
}

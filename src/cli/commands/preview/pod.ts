import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { stringify } from 'yaml'
import { TwinlaneError } from '../../../base/errors.ts'
import { parsePluginConfig } from '../../../cni/config.ts'
import type { KubeClient } from '../../../kube/api.ts'
import { type NodeResource, nodes, type PodResource } from '../../../kube/resources/core.ts'
import { previewPod } from '../../../preview/preview-pod.ts'
import { renderPreviews } from '../../../preview/render-text.ts'
import { addConnectionFlags, addNamespaceFlag, type ConnectionFlags, connect } from '../../connection.ts'
import { type CliIo, print } from '../../io.ts'
import { readManifests } from '../../manifest.ts'
import { readNetworkSettings, readNodeFile } from '../../node-settings.ts'

interface PreviewFlags extends ConnectionFlags {
  filename: string
  node?: string
  output?: 'json' | 'yaml'
  config: string
  netConf: string
}

export function registerPreviewPod(preview: Command, io: CliIo): void {
  addNamespaceFlag(addConnectionFlags(preview.command('pod')))
    .description('Show the network that a pod will have, on every node or on one. Changes nothing.')
    .requiredOption('-f, --filename <file>', 'the pod, as for apply')
    .option('--node <name>', 'as if it ran there')
    .addOption(new Option('-o, --output <format>', 'instead of text').choices(['json', 'yaml']))
    .option('--config <file>', "the agent's configuration file", '/etc/twinlane/config.yaml')
    .option('--net-conf <file>', "the meta-plugin's configuration", '/etc/cni/net.d/00-twinlane.conf')
    .addHelpText(
      'after',
      '\nExamples:\n  twinlane preview pod -f pod.yaml --node work01\n  twinlane preview pod -f pod.yaml -o json',
    )
    .action(async (flags: PreviewFlags) => {
      const { client, namespace } = await connect(io, flags)
      try {
        print(io, render(await loadAndPreview(io, flags, { client, namespace }), flags.output))
      } finally {
        await client.close()
      }
    })
}

async function loadAndPreview(
  io: CliIo,
  flags: PreviewFlags,
  { client, namespace }: { client: KubeClient; namespace: string },
): ReturnType<typeof previewPod> {
  const [pod, settings, netConf, nodeList] = await Promise.all([
    readPod(io, flags.filename, namespace),
    readNetworkSettings(resolve(io.cwd, flags.config)),
    readNodeFile(resolve(io.cwd, flags.netConf), '--net-conf').then(parsePluginConfig),
    findNodes(client, flags.node),
  ])
  return await previewPod({ kube: client, pod, settings, netConf, nodes: nodeList })
}

async function readPod(io: CliIo, file: string, namespace: string): Promise<PodResource> {
  const found = (await readManifests(io, [file])).map(({ object }) => object).filter(({ kind }) => kind === 'Pod')
  const [pod, second] = found
  if (pod === undefined || second !== undefined) {
    throw new TwinlaneError(`${file} holds ${found.length} pods`, { fix: 'name a file with exactly one' })
  }
  return { ...pod, metadata: { ...pod.metadata, namespace: pod.metadata.namespace ?? namespace } } as PodResource
}

async function findNodes(client: KubeClient, name: string | undefined): Promise<readonly NodeResource[]> {
  if (name !== undefined) return [await client.get(nodes, name)]
  const { items } = await client.list(nodes)
  if (items.length === 0) throw new TwinlaneError('the cluster has no nodes')
  return items
}

function render(previews: Awaited<ReturnType<typeof previewPod>>, output: PreviewFlags['output']): string {
  if (output === undefined) return renderPreviews(previews)
  return output === 'json' ? JSON.stringify(previews, undefined, 2) : stringify(previews).trimEnd()
}

import { CniError, cniErrorCode } from '../cni/errors.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import { type MetaConfig, parseMetaConfig } from '../meta/net-conf.ts'
import { configListOf } from '../meta/select/definition.ts'
import { neededDefinitions, type PodNetworks, readPodNetworks } from '../meta/select/pod-networks.ts'
import type { BaseNetwork, SelectedAttachment } from '../meta/select/types.ts'
import { selectNetworks } from '../meta/select-networks.ts'
import { findDriver } from '../networks/registry.ts'
import type { PreviewSources } from './sources.ts'

const defaultInterface = 'eth0'

/** The networks that the pod would get, by the functions of the ADD. Throws what the ADD would throw. */
export async function selectForPreview(
  sources: PreviewSources,
): Promise<{ attachments: SelectedAttachment[]; warnings: readonly string[] }> {
  const conf = parseMetaConfig(sources.netConf)
  const { pod } = sources
  const networks = readPodNetworks(pod, conf, defaultInterface)
  const findDefinition = await lookUp(networks, conf, sources)
  const attachments = selectNetworks({
    conf,
    networks,
    base: baseNetworks(conf, findDefinition),
    podNamespace: pod.metadata.namespace ?? 'default',
    defaultInterface,
    runtimeConfig: {},
    findDefinition,
    findFile: () => undefined,
    fileProblems: [],
    devices: new Map(),
    deviceInfoFile: () => '',
    findDriver,
    // Which executables a node has, only the node knows.
    isInstalled: () => true,
    folders: [],
  })
  return { attachments, warnings: networks.warnings }
}

type Find = Parameters<typeof selectNetworks>[0]['findDefinition']

async function lookUp(networks: PodNetworks, conf: MetaConfig, { kube }: PreviewSources): Promise<Find> {
  const needed = [...neededDefinitions(networks), ...namedNetworks(conf)]
  const found = await Promise.all(
    needed.map(({ namespace, name }) => kube.find(networkAttachmentDefinitions, name, namespace)),
  )
  return (namespace, name) => found[needed.findIndex((each) => each.namespace === namespace && each.name === name)]
}

function namedNetworks({ networks, multusNamespace: namespace }: MetaConfig): { namespace: string; name: string }[] {
  if ('delegates' in networks) return []
  return [networks.clusterNetwork, ...networks.defaultNetworks].map((name) => ({ namespace, name }))
}

function baseNetworks(conf: MetaConfig, findDefinition: Find): BaseNetwork[] {
  if ('delegates' in conf.networks) return conf.networks.delegates.map((list) => ({ networkName: list.name, list }))
  return namedNetworks(conf).map(({ namespace, name }) => {
    const definition = findDefinition(namespace, name)
    if (definition !== undefined) {
      const list = configListOf(definition, { conf, findFile: () => undefined, fileProblems: [] })
      return { networkName: `${namespace}/${name}`, list, nad: { namespace, name } }
    }
    throw new CniError(
      cniErrorCode.invalidNetworkConfig,
      `there is no NetworkAttachmentDefinition ${namespace}/${name}; a file of a node cannot be previewed`,
      { fix: 'Write the network into delegates, or make a NetworkAttachmentDefinition of it.' },
    )
  })
}

import { CniError, cniErrorCode } from '../cni/errors.ts'
import { type NetworkAttachmentDefinition, resourceNameOf } from '../kube/resources/net-attach-def.ts'
import type { MetaConfig } from '../meta/net-conf.ts'
import { configListOf } from '../meta/select/definition.ts'
import type { BaseNetwork } from '../meta/select/types.ts'
import { lookUpDefinitions } from './definition-lookup.ts'
import { type NetworkFiles, readNetworkFolder, readNetworkPath } from './network-files.ts'

type Sources = Parameters<typeof lookUpDefinitions>[1]

/**
 * The networks of the meta-plugin's configuration, for a pod of a namespace: written out, or looked up as Multus does.
 * A value with a "/" is a path; else a NetworkAttachmentDefinition of `multusNamespace`, else a file of `confDir`.
 * Throws CniError.
 */
export async function findBaseNetworks(
  conf: MetaConfig,
  podNamespace: string,
  sources: Sources,
): Promise<BaseNetwork[]> {
  if ('delegates' in conf.networks) {
    return conf.networks.delegates.map((list) => ({ networkName: list.name, list }))
  }
  const { clusterNetwork, defaultNetworks } = conf.networks
  const isSystem = conf.systemNamespaces.includes(podNamespace)
  const names = isSystem ? [clusterNetwork] : [clusterNetwork, ...defaultNetworks]
  return await findNamed(names, conf, sources)
}

async function findNamed(names: readonly string[], conf: MetaConfig, sources: Sources): Promise<BaseNetwork[]> {
  const namespace = conf.multusNamespace
  const definitions = await lookUpDefinitions(
    names.filter((name) => !isPath(name)).map((name) => ({ namespace, name })),
    sources,
  )
  const files = await filesFor(
    names.map((name) => (isPath(name) ? undefined : (definitions(namespace, name) ?? { metadata: { name } }))),
    conf,
  )
  const found: BaseNetwork[] = []
  for (const name of names) {
    const definition = isPath(name) ? undefined : definitions(namespace, name)
    if (isPath(name)) found.push(await findByPath(name))
    else if (definition === undefined) found.push(findByName(name, conf, files))
    else {
      const fileProblems = files.problems
      const list = configListOf(definition, { conf, findFile: (wanted) => findFile(files, wanted), fileProblems })
      const resourceName = resourceNameOf(definition)
      found.push({ networkName: `${namespace}/${name}`, list, nad: { namespace, name }, resourceName })
    }
  }
  return found
}

/** The folder is read only when a definition has no configuration of its own. */
export async function filesFor(
  definitions: readonly (NetworkAttachmentDefinition | undefined)[],
  conf: MetaConfig,
): Promise<NetworkFiles> {
  const isNeeded = definitions.some((each) => each !== undefined && (each.spec?.config ?? '').trim() === '')
  return isNeeded ? await readNetworkFolder(conf.confDir) : { lists: [], problems: [] }
}

export function findFile(files: NetworkFiles, name: string): BaseNetwork['list'] | undefined {
  return files.lists.find(({ list }) => list.name === name)?.list
}

async function findByPath(path: string): Promise<BaseNetwork> {
  const list = await readNetworkPath(path)
  return { networkName: list.name, list }
}

function findByName(name: string, { confDir, multusNamespace }: MetaConfig, files: NetworkFiles): BaseNetwork {
  const list = findFile(files, name)
  if (list !== undefined) return { networkName: name, list }
  const problems = files.problems.map((problem) => ` (${problem})`).join('')
  throw new CniError(
    cniErrorCode.invalidNetworkConfig,
    `there is neither a NetworkAttachmentDefinition ${multusNamespace}/${name} nor a network "${name}" in ${confDir}${problems}`,
    { fix: 'Create one of them, or correct clusterNetwork and defaultNetworks.' },
  )
}

function isPath(name: string): boolean {
  return name.includes('/')
}

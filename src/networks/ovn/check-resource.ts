import { ConfigError } from '../../base/errors.ts'
import type { KubeObject } from '../../kube/resources/meta.ts'
import type { ResourceProblem } from '../driver.ts'
import type {
  ClusterUserDefinedNetwork,
  UserDefinedNetwork,
  UserDefinedSpec,
} from './resources/user-defined-network.ts'
import { clusterNetworkName, namespacedNetworkName, renderUserDefined } from './secondary/user-defined.ts'

/** User-defined networks are refused for what the definition that they amount to would be refused for. */
export async function checkOvnResource(object: KubeObject): Promise<ResourceProblem[]> {
  const { name, namespace = 'default' } = object.metadata
  if (object.kind === 'UserDefinedNetwork') {
    const { spec = {} } = object as UserDefinedNetwork
    return problemsOf(namespacedNetworkName(namespace, name), { nad: `${namespace}/${name}`, spec, at: 'spec' })
  }
  if (object.kind === 'ClusterUserDefinedNetwork') {
    const { spec = {} } = object as ClusterUserDefinedNetwork
    // Whatever namespace it will be in: the name of the definition does not matter to the rules.
    const at = 'spec.network'
    return problemsOf(clusterNetworkName(name), { nad: `default/${name}`, spec: spec.network ?? {}, at })
  }
  return []
}

function problemsOf(network: string, what: { nad: string; spec: UserDefinedSpec; at: string }): ResourceProblem[] {
  try {
    renderUserDefined(network, what.nad, what.spec)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, within] = /^spec\.(.+)$/.exec(error.field) ?? []
    if (within === undefined) return [{ field: what.at, reason: error.message.replace(/^plugins\[0\]\./, '') }]
    return [{ field: `${what.at}.${within}`, reason: error.message.slice(error.field.length + 2) }]
  }
}

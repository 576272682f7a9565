import type { Informer, KubeClient } from '../kube/api.ts'
import { type NetworkAttachmentDefinition, networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'

type Find = (namespace: string, name: string) => NetworkAttachmentDefinition | undefined

/** Looks definitions up in the informer, and each that it misses by one live request. */
export async function lookUpDefinitions(
  needed: readonly { namespace: string; name: string }[],
  sources: { kube: KubeClient; definitions: Informer<NetworkAttachmentDefinition> },
): Promise<Find> {
  const found = new Map<string, NetworkAttachmentDefinition | undefined>()
  for (const { namespace, name } of needed) {
    const cached = sources.definitions.get(name, namespace)
    found.set(
      `${namespace}/${name}`,
      cached ?? (await sources.kube.find(networkAttachmentDefinitions, name, namespace)),
    )
  }
  return (namespace, name) => found.get(`${namespace}/${name}`)
}

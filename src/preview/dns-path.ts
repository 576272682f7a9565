import { cidrContains, parseCidr } from '../base/ip.ts'
import type { KubeClient } from '../kube/api.ts'
import { services } from '../kube/resources/core.ts'
import type { RoutedAttachment, RoutingPlan } from '../meta/routing/types.ts'
import { mainRoutes } from './routes.ts'

/** The interface by which the pod reaches the cluster's DNS service; undefined when there is no such service, or no way. */
export async function findDnsPath(
  kube: Pick<KubeClient, 'find'>,
  attachments: readonly RoutedAttachment[],
  plan: RoutingPlan,
): Promise<{ server: string; interface: string } | undefined> {
  const server = (await kube.find(services, 'kube-dns', 'kube-system'))?.spec?.clusterIP
  if (server === undefined || server === 'None') return undefined
  const route = mainRoutes(attachments, plan)
    .map((each) => ({ ...each, cidr: parseCidr(each.destination) }))
    .filter(({ cidr }) => cidrContains(cidr, server))
    .sort((a, b) => b.cidr.prefixLength - a.cidr.prefixLength)[0]
  return route === undefined ? undefined : { server, interface: route.device }
}

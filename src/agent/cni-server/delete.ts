import { describeError } from '../../base/errors.ts'
import { readConfigList } from '../../cni/config.ts'
import type { CniRequest, NetworkConfigList } from '../../cni/request.ts'
import { type Detachment, detachAll } from '../../meta/detach-all.ts'
import { binFolderOf, parseMetaConfig } from '../../meta/net-conf.ts'
import { findBaseNetworks } from '../base-networks.ts'
import type { Network } from '../networks.ts'
import type { CniContext } from './context.ts'
import { detachmentsOf } from './record.ts'
import { reportDetached } from './report.ts'
import { isForWholePod } from './select.ts'

/**
 * DEL: detaches what the record of the ADD says. Needs no API server, no pod and no namespace. Without a record every
 * network of this node is asked to detach the container. A failure is reported and the record stays: the runtime
 * calls again.
 */
export async function del(request: CniRequest, context: CniContext, signal: AbortSignal): Promise<void> {
  const record = context.store.find(request)
  const detachments =
    record === undefined ? await guessDetachments(request, context) : detachmentsOf(record, context.networks)
  await detachAll(detachments, signal)
  context.store.remove(request)
  if (record !== undefined) reportDetached(record, context)
}

/** Drivers find what is theirs by container ID; the delegate driver needs a configuration, so it gets the delegates'. */
async function guessDetachments(request: CniRequest, context: CniContext): Promise<Detachment[]> {
  const lists = isForWholePod(request) ? await delegatesOf(request, context) : [readConfigList(request.config)]
  const served = lists.map((list) => ({ list, driver: context.networks.findDriver(list.plugins[0]?.type ?? '') }))
  const named = served.map(({ list, driver }) => guess(request, context.networks.get(driver.name), list))
  if (!isForWholePod(request)) return named
  const others = context.networks.all.filter(
    ({ driver }) => driver.types.length > 0 && !served.some((item) => item.driver === driver),
  )
  return [...named, ...others.map((network) => guess(request, network, minimalConfig(network)))]
}

async function delegatesOf(request: CniRequest, context: CniContext): Promise<NetworkConfigList[]> {
  try {
    const networks = await findBaseNetworks(
      parseMetaConfig(request.config),
      request.args.K8S_POD_NAMESPACE ?? '',
      context,
    )
    return networks.map(({ list }) => list)
  } catch (error) {
    context.log.warn({ error: describeError(error) }, 'DEL without record and without usable delegates')
    return []
  }
}

function guess(request: CniRequest, network: Network, configList: NetworkConfigList): Detachment {
  const { containerId, netns, ifName, args } = request
  const { K8S_POD_NAMESPACE: namespace = '', K8S_POD_NAME: name = '', K8S_POD_UID: uid = '' } = args
  const pod = { namespace, name: namespace === '' ? containerId : name, uid }
  const config = network.driver.parseConfig(configList)
  const binFolder = binFolderOf(request.config)
  const ref = { containerId, netns, ifName, args, pod, config, configList, networkName: configList.name, binFolder }
  return { nodeSide: network.nodeSide, isIndependent: network.driver.capabilities.isIndependent, ref }
}

function minimalConfig({ driver }: Network): NetworkConfigList {
  return readConfigList({ cniVersion: '1.0.0', name: driver.name, type: driver.types[0] })
}

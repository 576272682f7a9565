import { existsSync } from 'node:fs'
import { readConfigList } from '../../cni/config.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import type { CniRequest, NetworkConfigList } from '../../cni/request.ts'
import { binFolderOf, type MetaConfig, parseMetaConfig } from '../../meta/net-conf.ts'
import { findBaseNetworks } from '../base-networks.ts'
import type { CniContext } from './context.ts'
import { isForWholePod } from './select.ts'

/** STATUS: whether an ADD of a pod without annotations could succeed now. Throws CniError with code 50 or 51. */
export async function status(request: CniRequest, context: CniContext): Promise<void> {
  if (!isForWholePod(request)) return await requireReady(readConfigList(request.config), request, context)
  const conf = parseMetaConfig(request.config)
  await requireIndicator(conf)
  const networks = await findBaseNetworks(conf, '', context)
  for (const { list } of networks) await requireReady(list, request, context)
}

/** STATUS says at once what an ADD would wait for. */
async function requireIndicator({ readinessIndicatorFile: file }: MetaConfig): Promise<void> {
  if (file === undefined || existsSync(file)) return
  throw new CniError(cniErrorCode.pluginNotAvailable, `the default network is not ready: there is no file ${file}`)
}

async function requireReady(list: NetworkConfigList, request: CniRequest, context: CniContext): Promise<void> {
  const driver = context.networks.findDriver(list.plugins[0]?.type ?? '')
  const nodeSide = context.networks.nodeSide(driver)
  const { isReady, problems } = nodeSide.status()
  if (!isReady) {
    throw new CniError(cniErrorCode.pluginNotAvailable, `network "${list.name}" is not ready: ${problems.join('; ')}`)
  }
  await nodeSide.requireReady?.({ configList: list, binFolder: binFolderOf(request.config) })
}

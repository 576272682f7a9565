import { readConfigList } from '../../cni/config.ts'
import { CniError, cniErrorCode } from '../../cni/errors.ts'
import { requirePlugins } from '../../cni/exec.ts'
import type { CniRequest, NetworkConfigList } from '../../cni/request.ts'
import { parseMetaConfig } from '../../meta/net-conf.ts'
import type { CniContext } from './context.ts'
import { isForWholePod } from './select.ts'

/** STATUS: whether an ADD of a pod without annotations could succeed now. Throws CniError with code 50. */
export async function status(request: CniRequest, context: CniContext): Promise<void> {
  const lists = isForWholePod(request) ? parseMetaConfig(request.config).delegates : [readConfigList(request.config)]
  for (const list of lists) await requireReady(list, context)
}

async function requireReady(list: NetworkConfigList, context: CniContext): Promise<void> {
  const driver = context.networks.findDriver(list.plugins[0]?.type ?? '')
  const { isReady, problems } = context.networks.nodeSide(driver).status()
  if (!isReady) {
    throw new CniError(cniErrorCode.pluginNotAvailable, `network "${list.name}" is not ready: ${problems.join('; ')}`)
  }
  if (driver.types.length > 0) return
  await requirePlugins(list, context.paths.cniBinFolders)
}

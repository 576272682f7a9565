import { once } from 'node:events'
import { hostname } from 'node:os'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { createKubeClient } from '../kube/client.ts'
import { loadProcessKubeConfig } from '../kube/kubeconfig.ts'
import { loadControllerConfig } from './config.ts'
import { createController } from './controller.ts'

/** Runs the cluster process until the signal aborts. Resolves with its exit code; failures are logged with their fix. */
export async function runController(options: {
  configFile: string
  signal: AbortSignal
  /** What Kubernetes tells a pod. */
  env: Record<string, string | undefined>
}): Promise<number> {
  let log = createLog({ name: 'controller' })
  try {
    const config = await loadControllerConfig(options.configFile)
    log = createLog({ name: 'controller', level: config.logLevel })
    const kube = createKubeClient(await loadProcessKubeConfig(config.kubeconfig, options.env))
    const controller = createController({ config, kube, log, host: hostname() })
    await controller.start(options.signal)
    if (!options.signal.aborted) await once(options.signal, 'abort')
    await controller.stop()
    await kube.close()
    return 0
  } catch (error) {
    if (options.signal.aborted) return 0
    const fix = error instanceof TwinlaneError ? error.fix : undefined
    log.error({ error, fix }, `controller failed: ${describeError(error)}`)
    return 1
  }
}

import { once } from 'node:events'
import { describeError, TwinlaneError } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { shrinkHeap } from '../base/shrink-heap.ts'
import { createKernel, type LinuxKernel } from '../kernel/linux.ts'
import { createKubeClient } from '../kube/client.ts'
import { type KubeConfig, loadProcessKubeConfig } from '../kube/kubeconfig.ts'
import { createAgent } from './agent.ts'
import { loadAgentConfig } from './config.ts'
import { defaultPaths } from './paths.ts'
import { removeFromNode } from './remove.ts'

/**
 * Runs the node process until the signal aborts; with `isRemoval` it takes back what it did on this node, and ends.
 * Resolves with its exit code; failures are logged with their fix.
 */
export async function runAgent(options: {
  configFile: string
  shim: string
  signal: AbortSignal
  isRemoval?: boolean
  /** NODENAME, and what Kubernetes tells a pod. */
  env: Record<string, string | undefined>
}): Promise<number> {
  let log = createLog({ name: 'agent' })
  try {
    const config = await loadAgentConfig(options.configFile, options.env.NODENAME)
    log = createLog({ name: 'agent', level: config.logLevel })
    const reload = (): Promise<KubeConfig> => loadProcessKubeConfig(config.kubeconfig, options.env)
    const kube = createKubeClient(await reload(), { reload })
    const kernel = createKernel()
    const giveMemoryBack = (): Promise<void> => giveBack(kernel)
    const parts = { config, paths: defaultPaths(options.shim), kube, kernel, log, giveMemoryBack }
    if (options.isRemoval === true) {
      await removeFromNode(parts, options.signal)
      await Promise.all([kernel.close(), kube.close()])
      return 0
    }
    const agent = createAgent(parts)
    await agent.start(options.signal)
    // A third of what the start has used is free by now, but stays with the process unless it is asked for.
    await giveMemoryBack().catch((error: unknown) => log.warn({ error }, 'memory could not be given back'))
    if (!options.signal.aborted) await once(options.signal, 'abort')
    await agent.stop()
    await Promise.all([kernel.close(), kube.close()])
    return 0
  } catch (error) {
    if (options.signal.aborted) return 0
    const fix = error instanceof TwinlaneError ? error.fix : undefined
    log.error({ error, fix }, `agent failed: ${describeError(error)}`)
    return 1
  }
}

/** What V8 has free goes to malloc, or at once to the system; what malloc has free follows. */
async function giveBack(kernel: LinuxKernel): Promise<void> {
  await shrinkHeap()
  await kernel.returnMemory()
}

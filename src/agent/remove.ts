import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runAll } from '../base/undo.ts'
import type { AgentOptions } from './agent.ts'
import { createCaches } from './caches.ts'
import { defaultAgentSettings } from './config.ts'
import { createContext } from './create-context.ts'

/**
 * Takes back what the agent did on this node, for a node that leaves: first the file that makes runtimes call us, then
 * each network that can. The agent must not run, and pods should be gone. Throws a CombinedError of what failed.
 */
export async function removeFromNode(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { paths, config } = options
  const { networks, events } = createContext(
    options,
    createCaches(options.kube, { nodeName: config.nodeName, log: options.log }),
  )
  const { netConf } = config.agent ?? defaultAgentSettings
  await runAll('removing from this node', [
    () => rm(join(paths.netConfFolder, netConf.fileName), { force: true }),
    ...networks.all.map(
      ({ nodeSide }) =>
        () =>
          nodeSide.remove?.(signal),
    ),
    () => events.flush(),
  ])
}

import type { Caches } from './caches.ts'
import type { AgentSettings } from './config.ts'
import type { NetConfWatch } from './net-conf-watch.ts'
import type { Networks } from './networks.ts'

/** Why this node is not ready, one line each; empty when it is. */
export function findProblems(parts: {
  caches: Caches
  networks: Networks
  netConf: Pick<NetConfWatch, 'problems'>
  settings: AgentSettings
}): string[] {
  const { caches, networks, netConf, settings } = parts
  return [
    ...Object.entries(caches).flatMap(([name, { hasSynced }]) => (hasSynced ? [] : [`${name}: not read yet`])),
    ...networks.all.flatMap(({ driver, nodeSide }) => nodeSide.status().problems.map((it) => `${driver.name}: ${it}`)),
    ...netConf.problems.map((problem) => `${settings.netConf.fileName}: ${problem}`),
  ]
}

import { describeError } from '../base/errors.ts'
import type { Caches } from './caches.ts'
import type { AgentSettings } from './config.ts'
import type { NetConfWatch } from './net-conf-watch.ts'
import type { Networks } from './networks.ts'

/** Why this node is not ready, one line each; empty when it is. */
export async function findProblems(parts: {
  caches: Caches
  networks: Networks
  netConf: Pick<NetConfWatch, 'problems'>
  settings: AgentSettings
}): Promise<string[]> {
  const { caches, networks, netConf, settings } = parts
  return [
    ...Object.entries(caches).flatMap(([name, { hasSynced }]) => (hasSynced ? [] : [`${name}: not read yet`])),
    ...networks.all.flatMap(({ driver, nodeSide }) => nodeSide.status().problems.map((it) => `${driver.name}: ${it}`)),
    ...(await findImpairments(networks)),
    ...netConf.problems.map((problem) => `${settings.netConf.fileName}: ${problem}`),
  ]
}

/** A network that cannot even be asked is impaired. */
async function findImpairments(networks: Networks): Promise<string[]> {
  const found = await Promise.all(
    networks.all.map(async ({ driver, nodeSide }) => {
      const lines = await nodeSide.impairments?.().catch((error) => [describeError(error)])
      return (lines ?? []).map((line) => `${driver.name}: ${line}`)
    }),
  )
  return found.flat()
}

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { findFile, writeFileAtomic } from '../base/file.ts'
import type { NetworkConfig } from '../cni/request.ts'
import type { AgentSettings } from './config.ts'
import { shimName } from './install-cni.ts'

/** The file that tells the runtime to call us. */
export interface NetConfFile {
  readonly folder: string
  readonly name: string
  readonly text: string
}

/** Sorts before what other plugins install, so that the runtime takes it. */
export const defaultNetConfName = '00-twinlane.conf'

/** What the file says beside its version, name and type, unless the agent's configuration has its own. */
const defaultContent = {
  delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
}

/** The whole configuration of the meta-plugin; its `type` is always ours. */
export function buildNetConf(content: Readonly<Record<string, unknown>> = defaultContent): NetworkConfig {
  return { cniVersion: '1.0.0', name: 'multus-cni-network', ...content, type: shimName }
}

/** The file as the agent's settings have it. */
export function describeNetConf(folder: string, { fileName, content }: AgentSettings['netConf']): NetConfFile {
  return { folder, name: fileName, text: renderNetConf(buildNetConf(content)) }
}

/** As it stands in the file. */
export function renderNetConf(conf: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(conf, undefined, 2)}\n`
}

/**
 * Writes the file unless it is right already. Only to be called when the socket answers. It stays when the agent stops:
 * pods then wait, and none starts without the networks that it asked for. Resolves with what was there before.
 */
export async function writeNetConf({ folder, name, text }: NetConfFile): Promise<'right' | 'missing' | 'changed'> {
  const path = join(folder, name)
  await mkdir(folder, { recursive: true })
  const found = await findFile(path)
  if (found === text) return 'right'
  await writeFileAtomic(path, text)
  return found === undefined ? 'missing' : 'changed'
}

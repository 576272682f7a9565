import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { findFile, writeFileAtomic } from '../base/file.ts'
import { shimName } from './install-cni.ts'

/** Sorts before what other plugins install, so that the runtime takes it. */
export const netConfFile = '00-twinlane.conf'

const netConf = {
  cniVersion: '1.0.0',
  name: 'multus-cni-network',
  type: shimName,
  delegates: [{ cniVersion: '1.0.0', name: 'k8s-pod-network', type: 'calico', ipam: { type: 'calico-ipam' } }],
}

/**
 * Tells the runtime to call us. Only to be written when the socket answers. It stays when the agent stops: pods then
 * wait, and none starts without the networks that it asked for.
 */
export async function writeNetConf(folder: string): Promise<void> {
  const path = join(folder, netConfFile)
  const text = `${JSON.stringify(netConf, undefined, 2)}\n`
  await mkdir(folder, { recursive: true })
  if ((await findFile(path)) !== text) await writeFileAtomic(path, text)
}

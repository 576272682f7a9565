import { exec } from '../../../src/base/exec.ts'
import { succeeds } from './routed-cluster.ts'

/** Whether the kernel has devices of a kind; the attempt to make one loads the module where there is one. */
export async function kernelHas(kind: string): Promise<boolean> {
  const isMade = await succeeds(exec('ip', ['link', 'add', 'probe0', 'type', kind, 'remote', '192.0.2.1']))
  if (isMade) await exec('ip', ['link', 'del', 'probe0'])
  return isMade
}

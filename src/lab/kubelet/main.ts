import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { createLog } from '../../base/log.ts'
import { createKubeClient } from '../../kube/client.ts'
import { loadKubeConfig } from '../../kube/kubeconfig.ts'
import { parseKubeletConfig } from './config.ts'
import { runKubelet } from './kubelet.ts'

/** The process `kubelet`: reads its configuration file and runs until the signal aborts. */
export async function main(args: readonly string[], signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { config: { type: 'string', default: '/etc/kubernetes/kubelet.yaml' } },
  })
  const config = parseKubeletConfig(parse(await readFile(values.config, 'utf8')))
  const log = createLog({ name: 'kubelet' })
  const kube = createKubeClient(await loadKubeConfig(config.kubeconfig))
  try {
    await runKubelet({ config, kube, log }, signal)
  } finally {
    await kube.close()
  }
}

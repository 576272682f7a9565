import { shrinkHeap } from '../../src/base/shrink-heap.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { createKubeClient } from '../../src/kube/client.ts'
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts'
import { delegateDriver } from '../../src/networks/delegate/driver.ts'
import { routedDriver } from '../../src/networks/routed/driver.ts'
import { createTestAgent } from './agent.ts'

// An agent with the routed network and other plugins, in front of a real API server: FOLDER SHIM KUBECONFIG.
const [folder = '', shim = '', kubeconfig = ''] = process.argv.slice(2)
const timeout = process.env.TWINLANE_TEST_REQUEST_TIMEOUT_MS
const requestTimeoutMs = timeout === undefined ? undefined : Number(timeout)
const kernel = createKernel()
const agent = createTestAgent({
  folder,
  giveMemoryBack: async () => {
    await shrinkHeap()
    await kernel.returnMemory()
  },
  shim,
  kube: createKubeClient(await loadKubeConfig(kubeconfig), requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  kernel,
  drivers: [routedDriver, delegateDriver],
  networks: { routed: { ipPoolCidr: '10.244.0.0/16', ipAutodetectionMethod: 'interface=ens2' } },
  logLevel: process.env.TWINLANE_TEST_LOG === undefined ? 'silent' : 'info',
})
process.once('SIGTERM', () => void agent.stop().finally(() => process.exit(0)))
await agent.start(new AbortController().signal)
process.stdout.write('ready\n')
// The kernel's threads do not keep a process alive.
setInterval(() => {}, 1 << 30)

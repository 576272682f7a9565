import { createKernel } from '../../src/kernel/linux.ts'
import { createTestAgent, createTestKube, testDefinition, testPod } from './agent.ts'

// An agent in a process of its own, so that a test can kill it: agent-process.ts FOLDER SHIM '{"pods":…,"definitions":…}'.
const [folder = '', shim = '', text = '{}'] = process.argv.slice(2)
const objects = JSON.parse(text) as { pods: [string, string?][]; definitions: [string, object][] }
const kube = createTestKube({
  pods: objects.pods.map((args) => testPod(...args)),
  definitions: objects.definitions.map((args) => testDefinition(...args)),
})
await createTestAgent({ folder, kube, kernel: createKernel(), shim }).start(new AbortController().signal)
process.stdout.write('ready\n')
// The kernel's threads do not keep a process alive.
setInterval(() => {}, 1 << 30)

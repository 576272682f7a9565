import { createLog } from '../base/log.ts'
import { main } from '../lab/kubelet/main.ts'

// Each attached client holds a thread of the pool while it waits for output.
process.env.UV_THREADPOOL_SIZE ??= '16'
const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
process.on('SIGINT', () => stop.abort())
try {
  await main(process.argv.slice(2), stop.signal)
  process.exit(0)
} catch (error) {
  if (!stop.signal.aborted) createLog({ name: 'kubelet' }).error({ error }, 'kubelet ended')
  process.exit(stop.signal.aborted ? 0 : 1)
}

import { startTestApiServer } from '../test/support/api-server.ts'

/** The lab's API server with an empty store as a process of its own: what it uses is not the client's time. */
const server = await startTestApiServer()
process.send?.(server.kubeconfig)
process.once('disconnect', () => void server.stop())

import { runKernelWorker } from '../kernel/worker.ts'

runKernelWorker()

import { createKernel } from '../../src/kernel/linux.ts'
import { makeNetns, removeNetns } from '../support/netns.ts'
import { kernelContract } from './kernel.ts'

kernelContract('Linux', async () => {
  const kernel = createKernel()
  return { kernel, makeNetns, removeNetns, close: () => kernel.close() }
})

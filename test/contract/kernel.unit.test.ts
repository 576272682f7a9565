import { createFakeKernel } from '../../src/kernel/fake.ts'
import { kernelContract } from './kernel.ts'

let count = 0

kernelContract('the fake', async () => {
  const kernel = createFakeKernel()
  return {
    kernel,
    makeNetns: async () => {
      const path = `/run/netns/fake${++count}`
      kernel.addNetns(path)
      return path
    },
    removeNetns: async (path) => kernel.removeNetns(path),
    close: () => kernel.close(),
  }
})

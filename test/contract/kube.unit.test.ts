import { createFakeKube } from '../../src/kube/fake.ts'
import { describeKubeContract } from './kube.ts'

describeKubeContract('the Kubernetes API in memory', async () => {
  const client = createFakeKube()
  return { client, expireHistory: async () => client.compact(), stop: async () => client.endWatches() }
})

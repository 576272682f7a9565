import { driverContract } from './driver.ts'
import { createFakeNetwork } from './fake-driver.ts'

driverContract('fake', async () => {
  const network = createFakeNetwork({ type: 'fake' })
  return {
    driver: network.driver,
    nodeSide: network.nodeSide,
    configList: { cniVersion: '1.1.0', name: 'n', plugins: [{ cniVersion: '1.1.0', name: 'n', type: 'fake' }] },
    createPod: async (name) => ({
      containerId: name,
      netns: `/run/netns/${name}`,
      pod: { namespace: 'default', name, uid: name },
    }),
    removeNetns: async () => {},
    inventory: async () => [...network.attached.keys()].sort(),
    breakNextAttach: async () => {
      network.failAttach = () => {
        throw new Error('broken')
      }
    },
    stop: async () => {},
  }
})

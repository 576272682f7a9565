import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Calm } from '../../src/base/calm.ts'
import { exec } from '../../src/base/exec.ts'
import { silentLog } from '../../src/base/log.ts'
import { readConfigList } from '../../src/cni/config.ts'
import { createKernel } from '../../src/kernel/linux.ts'
import { createFakeKube } from '../../src/kube/fake.ts'
import { createInformer } from '../../src/kube/informer.ts'
import { nodes, pods } from '../../src/kube/resources/core.ts'
import { delegateDriver } from '../../src/networks/delegate/driver.ts'
import { ipJson, makeNetns, removeNetns } from '../support/netns.ts'
import { driverContract } from './driver.ts'

driverContract('delegate', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'delegate-'))
  const kernel = createKernel()
  const kube = createFakeKube()
  const spaces: string[] = []
  const at = (name: string): string => join(folder, name)
  const nodeSide = delegateDriver.nodeSide(undefined, {
    nodeName: 'node',
    kube,
    kernel,
    log: silentLog,
    calm: new Calm(),
    events: { event: () => {} },
    pods: createInformer(kube, pods, { log: silentLog }),
    nodes: createInformer(kube, nodes, { log: silentLog }),
    paths: {
      stateFolder: at('state'),
      runFolder: at('run'),
      birdSocket: at('bird.ctl'),
      birdConfigFile: at('bird.conf'),
      ovsdbSocket: at('db.sock'),
      cniBinFolders: ['/usr/lib/cni'],
    },
  })
  const plugins = [
    {
      type: 'bridge',
      bridge: 'br-contract',
      isGateway: true,
      ipam: { type: 'host-local', dataDir: at('ipam'), subnet: '10.8.0.0/24' },
    },
    { type: 'tuning', mtu: 1400 },
  ]
  let configList = readConfigList({ cniVersion: '1.0.0', name: 'contract', plugins })
  return {
    driver: delegateDriver,
    nodeSide,
    get configList() {
      return configList
    },
    createPod: async (name) => {
      const netns = await makeNetns()
      spaces.push(netns)
      return { containerId: name, netns, pod: { namespace: 'default', name, uid: name } }
    },
    removeNetns,
    inventory: async () => {
      const leases = await readdir(at('ipam/contract')).catch(() => [])
      const veths = await ipJson('/proc/self/ns/net', 'link', 'show', 'type', 'veth')
      return [...leases.filter((name) => /^\d/.test(name)), ...veths.map((link) => String(link.ifname))].sort()
    },
    breakNextAttach: async () => {
      // The second plugin of the chain fails after the first has done its work.
      const refused = { type: 'tuning', sysctl: { 'net.ipv4.nonsense': '1' } }
      configList = readConfigList({ cniVersion: '1.0.0', name: 'contract', plugins: [plugins[0], refused] })
    },
    stop: async () => {
      await kernel.close()
      await Promise.all(spaces.map(removeNetns))
      // The kernel empties a removed namespace later, and the next test counts.
      const veths = await ipJson('/proc/self/ns/net', 'link', 'show', 'type', 'veth')
      for (const veth of veths) await exec('ip', ['link', 'delete', String(veth.ifname)], { okCodes: [0, 1] })
      await rm(folder, { recursive: true })
    },
  }
})

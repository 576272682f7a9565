import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { silentLog } from '../base/log.ts'
import { createFakeKube } from '../kube/fake.ts'
import { createInformer } from '../kube/informer.ts'
import { networkAttachmentDefinitions } from '../kube/resources/net-attach-def.ts'
import { parseMetaConfig } from '../meta/net-conf.ts'
import { findBaseNetworks } from './base-networks.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'networks-'))
})
afterEach(() => rm(folder, { recursive: true }))

const bridge = { cniVersion: '1.0.0', type: 'bridge' }

async function write(name: string, content: object | string): Promise<void> {
  await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
}

async function find(keys: object, namespace = 'default'): Promise<[string, string][]> {
  const kube = createFakeKube()
  kube.seed(
    networkAttachmentDefinitions,
    { metadata: { name: 'calico', namespace: 'kube-system' }, spec: { config: JSON.stringify(bridge) } },
    { metadata: { name: 'on-node', namespace: 'kube-system' } },
  )
  const definitions = createInformer(kube, networkAttachmentDefinitions, { log: silentLog })
  const conf = parseMetaConfig({ cniVersion: '1.0.0', name: 'm', type: 'multus', confDir: folder, ...keys })
  const networks = await findBaseNetworks(conf, namespace, { kube, definitions })
  return networks.map(({ networkName, list }) => [networkName, list.plugins.map(({ type }) => type).join()])
}

test('a name is a definition of multusNamespace, with its configuration or with the one on the node', async () => {
  await write('20-on-node.conf', { ...bridge, name: 'on-node', type: 'macvlan' })
  expect(await find({ clusterNetwork: 'calico', defaultNetworks: ['on-node'] })).toEqual([
    ['kube-system/calico', 'bridge'],
    ['kube-system/on-node', 'macvlan'],
  ])
})

test('a name that is no definition is a file, and a broken file beside it does no harm', async () => {
  await write('10-broken.conf', '{"name"')
  await write('20-storage.conflist', { cniVersion: '1.0.0', name: 'storage', plugins: [{ type: 'ptp' }] })
  expect(await find({ clusterNetwork: 'storage' })).toEqual([['storage', 'ptp']])
})

test('a name that is nothing says where it was looked for, and what could not be read there', async () => {
  await write('10-broken.conf', '{"name"')
  await expect(find({ clusterNetwork: 'none' })).rejects.toThrow(
    /neither a NetworkAttachmentDefinition kube-system\/none nor a network "none" in .*10-broken\.conf: .*not JSON/,
  )
})

test('a path is a file, or the first file of a folder', async () => {
  await write('20-second.conf', { ...bridge, name: 'second' })
  await write('10-first.conf', { ...bridge, name: 'first', type: 'ptp' })
  expect(await find({ clusterNetwork: folder, defaultNetworks: [join(folder, '20-second.conf')] })).toEqual([
    ['first', 'ptp'],
    ['second', 'bridge'],
  ])
  await expect(find({ clusterNetwork: join(folder, 'none.conf') })).rejects.toThrow('none.conf cannot be read')
})

test('a list has the plugins of the folder of its name behind its own', async () => {
  await write('10-list.conflist', { cniVersion: '1.0.0', name: 'list', plugins: [{ type: 'ptp' }] })
  await mkdir(join(folder, 'list'))
  await write('list/10-tuning.conf', { cniVersion: '1.0.0', name: 'x', type: 'tuning' })
  expect(await find({ clusterNetwork: join(folder, '10-list.conflist') })).toEqual([['list', 'ptp,tuning']])
})

test('pods of a system namespace get the default network alone', async () => {
  await write('20-on-node.conf', { ...bridge, name: 'on-node' })
  const keys = { clusterNetwork: 'calico', defaultNetworks: ['on-node'] }
  expect(await find(keys, 'kube-system')).toHaveLength(1)
  expect(await find({ ...keys, systemNamespaces: ['mine'] }, 'kube-system')).toHaveLength(2)
  expect(await find({ ...keys, systemNamespaces: ['mine'] }, 'mine')).toHaveLength(1)
})
